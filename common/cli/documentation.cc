// gatehouse(1), and what bash asks for after "gatehouse ".
#include "common/cli/documentation.h"

#include "common/manual.h"

namespace gatehouse::cli {
namespace {

std::string synopsis(const Command& command) {
  std::string text = "gatehouse " + std::string(command.name);
  if (!command.arguments.empty()) text += " " + std::string(command.arguments);
  for (const Flag& flag : command.flags) {
    text += " [" + std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value)) + "]";
  }
  return text;
}

// "--json --watch ": each with a space behind it.
std::string names_of(std::span<const Flag> flags) {
  std::string text;
  for (const Flag& flag : flags) text += std::string(flag.name) + " ";
  return text;
}

bool takes_files(const Command& command) {
  if (command.arguments.find("FILE") != std::string_view::npos) return true;
  for (const Flag& flag : command.flags) {
    if (flag.value == "FILE") return true;
  }
  return false;
}

constexpr const char* kCompletionBegin = R"(# bash completion for gatehouse; made by "gatehouse completion"
_gatehouse() {
  local current=${COMP_WORDS[COMP_CWORD]} command="" words files="" i
  COMPREPLY=()
  if [ "${COMP_WORDS[COMP_CWORD-1]}" = --socket ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --socket) ((++i)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
)";

constexpr const char* kCompletionEnd = R"(    *) words="" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; [ -z "$files" ] || compgen -f -- "$current")
}
complete -o filenames -F _gatehouse gatehouse
)";

}  // namespace

std::string manual_page(std::span<const Command> commands) {
  ManualPage page("gatehouse", 1, "command line for both tiers of a Gatehouse site");
  page.begin("SYNOPSIS");
  page.paragraph("gatehouse [--socket PATH] COMMAND ...");
  page.begin("DESCRIPTION");
  page.paragraph(
      "Asks a daemon of this host, gatehouse-l4 or gatehouse-l7, by its control socket, or looks at a config "
      "file. The exit code is "
      "0 when it went well, 1 when it did not, 2 when the command line was not understood.");
  page.begin("OPTIONS");
  for (const Flag& flag : global_flags())
    page.item(std::string(flag.name) + " " + std::string(flag.value), flag.help);
  page.begin("COMMANDS");
  for (const Command& command : commands) {
    page.item(synopsis(command), command.help);
    for (const Flag& flag : command.flags) {
      page.paragraph("    " + std::string(flag.name) + " " + std::string(flag.value) + ": " +
                     std::string(flag.help));
    }
  }
  page.begin("FILES");
  page.item("/etc/gatehouse/site.toml",
            "The site's config. Every option is in reference.md beside the package's other documents.");
  page.item("/run/gatehouse-l4/control.sock, /run/gatehouse-l7/control.sock",
            "The daemons' control sockets.");
  page.begin("SEE ALSO");
  page.paragraph("gatehouse-l4(8), gatehouse-l7(8)");
  return page.text();
}

std::string bash_completion(std::span<const Command> commands) {
  const std::string global = names_of(global_flags());
  std::string text = kCompletionBegin;
  text += "    \"\") words=\"" + global;
  for (const Command& command : commands) text += std::string(command.name) + " ";
  text += "\" ;;\n";
  for (const Command& command : commands) {
    text += "    " + std::string(command.name) + ") words=\"" + global + names_of(command.flags) + "\"";
    text += takes_files(command) ? "; files=yes ;;\n" : " ;;\n";
  }
  return text + kCompletionEnd;
}

}  // namespace gatehouse::cli
