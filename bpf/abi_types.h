/* What the parts of the ABI (abi.h, abi_guard.h, abi_service.h) are written with. C11 and C++20. */
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
#define GH_STATIC_ASSERT static_assert
#else
#define GH_STATIC_ASSERT _Static_assert
#endif
