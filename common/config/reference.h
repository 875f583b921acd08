// The option reference as Markdown, made from the declarations in fields.h: config/reference.md is this text, and a test
// keeps it so.
#pragma once

#include <string>

namespace gatehouse::config {

std::string reference_page();

}  // namespace gatehouse::config
