// Manual pages in roff, man(7): the few pieces that ours are made of. Whatever text comes in, none of it is
// taken for a command of roff.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse {

class ManualPage {
 public:
  ManualPage(std::string_view name, int section, std::string_view summary);

  void begin(std::string_view heading);  // "OPTIONS"
  void paragraph(std::string_view text);
  void item(std::string_view term, std::string_view text);  // the term in bold
  void example(std::string_view text);                      // as it stands
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace gatehouse
