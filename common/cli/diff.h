// The difference of two texts by lines, as `diff -u` shows it.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::cli {

// Empty when the texts are equal. What lies between the first and the last difference is compared line by
// line as long as that is few work; beyond it is shown as replaced whole, which is no less true.
std::string unified_diff(std::string_view before, std::string_view after, const std::string& name_before,
                         const std::string& name_after);

}  // namespace gatehouse::cli
