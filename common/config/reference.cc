#include "common/config/reference.h"

#include <cstdio>
#include <type_traits>

#include "common/config/fields.h"

namespace gatehouse::config {
namespace {

template <typename T>
inline constexpr bool kIsStruct = !std::is_same_v<std::remove_const_t<decltype(kFields<T>)>, int>;

std::string type_name(const std::string*) { return "text"; }
std::string type_name(const IpAddress*) { return "address"; }
std::string type_name(const IpPrefix*) { return "address or prefix"; }
std::string type_name(const bool*) { return "true or false"; }
std::string type_name(const double*) { return "share"; }
std::string type_name(const Endpoint*) { return "address:port"; }
std::string type_name(const Duration*) { return "duration"; }
std::string type_name(const ByteSize*) { return "size"; }
template <typename T>
std::string type_name(const std::vector<T>*);
template <typename T>
  requires std::is_integral_v<T>
std::string type_name(const T*) {
  return "number";
}
template <typename T>
  requires kIsStruct<T>
std::string type_name(const T*) {
  return "table";
}
template <typename T>
std::string type_name(const std::optional<T>*) {
  return type_name(static_cast<const T*>(nullptr));
}
template <typename T>
std::string type_name(const std::vector<T>*) {
  return "list of " + type_name(static_cast<const T*>(nullptr));
}

std::string print(const std::string& value) { return value.empty() ? "" : "\"" + value + "\""; }
std::string print(const IpAddress& value) { return value.is_unspecified() ? "" : "\"" + to_string(value) + "\""; }
std::string print(const IpPrefix& value) { return "\"" + to_string(value) + "\""; }
std::string print(bool value) { return value ? "true" : "false"; }
std::string print(const Endpoint&) { return ""; }
std::string print(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}
std::string print(Duration value) { return "\"" + to_string(value) + "\""; }
std::string print(ByteSize value) { return "\"" + to_string(value) + "\""; }
template <typename T>
  requires std::is_integral_v<T>
std::string print(T value) {
  return std::to_string(value);
}
template <typename T>
std::string print(const std::optional<T>&) {
  return "";
}
template <typename T>
  requires kIsStruct<T>
std::string print(const T&) {
  return "";
}
template <typename T>
std::string print(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : ", ") + print(value);
  return text.empty() ? "" : "[" + text + "]";
}

std::string print_bound(const Duration*, std::int64_t bound) { return to_string(Duration(bound)); }
std::string print_bound(const ByteSize*, std::int64_t bound) { return to_string(ByteSize{static_cast<std::uint64_t>(bound)}); }
template <typename T>
std::string print_bound(const T*, std::int64_t bound) {
  return std::to_string(bound);
}

template <typename Struct, typename Member>
std::string row(const Field<Struct, Member>& field) {
  const Struct defaults;
  const auto* type = static_cast<const Member*>(nullptr);
  std::string value = print(defaults.*field.member);
  if (field.flags & kRequired) value = "required";
  if ((field.flags & kAuto) && value == "0") value = "\"auto\"";
  std::string bounds;
  if (field.least != std::numeric_limits<std::int64_t>::min()) {
    bounds = print_bound(type, field.least) + " – " + print_bound(type, field.most);
  }
  return std::string("| `") + field.name + "` | " + type_name(type) + " | " + (value.empty() || value == "required" ? value : "`" + value + "`") +
         " | " + bounds + " | " + field.doc + " |\n";
}

constexpr const char* kTableHead = "| option | type | default | bounds | meaning |\n|---|---|---|---|---|\n";

template <typename T>
void describe(std::string& page, const std::string& title, const char* doc);

template <typename Member, typename T>
inline constexpr bool kIsListOfBase = false;
template <typename Element, typename T>
inline constexpr bool kIsListOfBase<std::vector<Element>, T> = std::is_base_of_v<Element, T>;

template <typename T>
void describe_member(std::string& page, const std::string& parent, const char* name, const char* doc, const T*) {
  if constexpr (kIsStruct<T>) describe<T>(page, parent.empty() ? "[" + std::string(name) + "]" : parent + "." + name, doc);
}
template <typename T>
void describe_member(std::string& page, const std::string& parent, const char* name, const char* doc, const std::vector<T>*) {
  if constexpr (kIsStruct<T>) describe<T>(page, parent.empty() ? "[[" + std::string(name) + "]]" : parent + "." + name, doc);
}

template <typename T>
void describe_member(std::string& page, const std::string& parent, const char* name, const char* doc, const std::optional<T>*) {
  describe_member(page, parent, name, doc, static_cast<const T*>(nullptr));
}

template <typename T>
void describe(std::string& page, const std::string& title, const char* doc) {
  page += "\n## `" + title + "`\n\n" + doc + "\n\n" + kTableHead;
  for_each_field<T>([&page](const auto& field) { page += row(field); });
  for_each_field<T>([&page, &title](const auto& field) {
    using Member = std::remove_cvref_t<decltype(std::declval<T&>().*field.member)>;
    // What T is itself has been described with it.
    if constexpr (!kIsListOfBase<Member, T>) describe_member(page, title, field.name, field.doc, static_cast<const Member*>(nullptr));
  });
}

}  // namespace

std::string reference_page() {
  std::string page =
      "# Options\n\nGenerated by `gatehouse reference`. One TOML file describes a site; every host has the same. Durations are "
      "written as \"250ms\", \"30s\", \"5m\" or \"1h\", sizes as \"512B\", \"64KiB\", \"16MiB\" or \"1GiB\". Files are relative "
      "to the folder of the config. Sections in double brackets may be repeated.\n";
  for_each_field<Config>([&page](const auto& field) {
    using Member = std::remove_cvref_t<decltype(std::declval<Config&>().*field.member)>;
    describe_member(page, "", field.name, field.doc, static_cast<const Member*>(nullptr));
  });
  return page;
}

}  // namespace gatehouse::config
