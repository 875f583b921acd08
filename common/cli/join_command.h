// Commands by which hosts become members of a site: its authority, tokens, joining. `join` and `authority`
// work on files of this host; `token` asks the daemon of an L4 host.
#pragma once

#include "common/cli/command_line.h"

namespace gatehouse::cli {

int join(const Invocation& invocation);
int token(const Invocation& invocation);
int site_authority(const Invocation& invocation);

}  // namespace gatehouse::cli
