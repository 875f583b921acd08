// roff: what begins a line with a dot or quote, hyphens and backslashes are special.
#include "common/manual.h"

#include <algorithm>

namespace gatehouse {
namespace {

std::string roff(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_line_start = i == 0 || text[i - 1] == '\n';
    if (is_line_start && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\') {
      out += "\\e";
    } else if (text[i] == '-') {
      out += "\\-";
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

ManualPage::ManualPage(std::string_view name, int section, std::string_view summary) {
  std::string title(name);
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char letter) { return std::toupper(letter); });
  text_ = ".TH " + roff(title) + " " + std::to_string(section) + " \"\" \"gatehouse " + GATEHOUSE_VERSION +
          "\" Gatehouse\n";
  begin("NAME");
  text_ += roff(name) + " \\- " + roff(summary) + "\n";
}

void ManualPage::begin(std::string_view heading) { text_ += ".SH " + roff(heading) + "\n"; }

void ManualPage::paragraph(std::string_view text) { text_ += ".PP\n" + roff(text) + "\n"; }

void ManualPage::item(std::string_view term, std::string_view text) {
  text_ += ".TP\n\\fB" + roff(term) + "\\fR\n" + roff(text) + "\n";
}

void ManualPage::example(std::string_view text) {
  text_ += ".PP\n.nf\n" + roff(text);
  text_ += text.ends_with('\n') ? ".fi\n" : "\n.fi\n";
}

}  // namespace gatehouse
