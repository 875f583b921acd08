#include "common/config/load.h"

#include <fstream>
#include <sstream>

#include "common/config/reader.h"

namespace gatehouse::config {
namespace {

std::uint64_t digest_of(std::string_view text) {
  std::uint64_t digest = 14695981039346656037ull;  // FNV-1a
  for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return digest;
}

void fill_defaults(Config& config, const Findings& findings) {
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    Route& route = config.routes[i];
    route.line = findings.line_of("route[" + std::to_string(i) + "].response.file");  // or of the route
    if (route.name.empty()) route.name = route.pool;
  }
  for (TlsRoute& route : config.tls_routes) {
    if (route.name.empty()) route.name = route.pool;
  }
}

Loaded refused(const std::string& text) {
  Loaded loaded;
  loaded.findings.push_back({Finding::Severity::kError, text});
  return loaded;
}

}  // namespace

void Reader::refuse_unknown(const toml::table& table, const std::vector<std::string>& known, const std::string& label) {
  for (const auto& [key, node] : table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    const int line = static_cast<int>(key.source().begin.line);
    findings_.error(line, "unknown key \"" + std::string(key.str()) + "\" in " + label + suggest(key.str(), known));
  }
}

std::string Reader::found(const toml::node& node) {
  std::ostringstream text;
  if (const auto string = node.value<std::string>(); string && node.is_string()) {
    text << '"' << *string << '"';
  } else if (const auto number = node.value<std::int64_t>(); number && node.is_integer()) {
    text << *number;
  } else {
    text << "a value of type " << node.type();
  }
  return text.str();
}

void Reader::refuse(const toml::node& node, const std::string& label, const std::string& expected) {
  findings_.error(line_of(node), label + ": expected " + expected + ", found " + found(node));
}

void Reader::read_string(const toml::node& node, std::string& out, unsigned flags, const std::string& label) {
  if (!node.is_string()) return refuse(node, label, "a text in quotes");
  out = *node.value<std::string>();
  if (out.find('\0') != std::string::npos) return refuse(node, label, "a text without NUL");
  const bool is_relative_path = (flags & kPath) && !out.empty() && std::filesystem::path(out).is_relative();
  if (is_relative_path) out = (folder_ / out).lexically_normal().string();
}

bool Loaded::is_valid() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.severity == Finding::Severity::kError; });
}

std::string Loaded::errors() const {
  std::string text;
  for (const Finding& finding : findings) {
    if (finding.severity == Finding::Severity::kError) text += (text.empty() ? "" : "\n") + finding.text;
  }
  return text;
}

namespace {

// The TOML parser recurses by the parts of a key: what no config needs must not reach it.
Status check_size(std::string_view text) {
  constexpr std::size_t kMostBytes = 4 << 20, kLongestLine = 64 << 10;
  if (text.size() > kMostBytes) return Error{"1: larger than a config may be (" + std::to_string(kMostBytes) + " bytes)"};
  std::size_t line = 1, start = 0;
  for (std::size_t end = 0; end != std::string_view::npos; start = end + 1, ++line) {
    end = text.find('\n', start);
    if (std::min(end, text.size()) - start > kLongestLine) {
      return Error{std::to_string(line) + ": longer than a line may be (" + std::to_string(kLongestLine) + " bytes)"};
    }
  }
  return {};
}

}  // namespace

Loaded load_text(std::string text, const std::string& file) {
  if (const Status fits = check_size(text); !fits) return refused(file + ":" + fits.error().message);
  const toml::parse_result parsed = toml::parse(std::string_view(text), std::string_view(file));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return refused(file + ":" + std::to_string(error.source().begin.line) + ": not TOML: " +
                   std::string(error.description()));
  }
  Loaded loaded;
  Findings findings(file);
  Reader reader(findings, std::filesystem::path(file).parent_path());
  reader.read(parsed.table(), loaded.config, "", "the file");
  fill_defaults(loaded.config, findings);
  // Rules between options would only repeat what is wrong with the options themselves.
  if (findings.sorted().empty()) validate(loaded.config, findings);
  loaded.findings = findings.sorted();
  loaded.lines = findings.lines();
  loaded.config.digest = digest_of(text);
  loaded.config.text = std::move(text);
  loaded.config.file = file;
  return loaded;
}

Loaded load_file(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return refused(file + ":1: cannot read this file: " + (error ? error.message() : "it is not a regular file"));
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return refused(file + ":1: cannot read this file: " + system_error("open").message);
  std::ostringstream text;
  text << stream.rdbuf();
  return load_text(text.str(), file);
}

}  // namespace gatehouse::config
