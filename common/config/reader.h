// Reads TOML tables into the structs of model.h by the declarations of fields.h. Internal to common/config: load.cc
// is the only user. Nothing here knows what an option means; rules between options are validate.cc's.
#pragma once

// toml++ 3.3 asserts on some malformed tables although its parser answers them with an error right after.
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/config/dns_name.h"
#include "common/config/fields.h"
#include "common/config/findings.h"

namespace gatehouse::config {

template <typename T>
inline constexpr bool kIsStruct = !std::is_same_v<std::remove_const_t<decltype(kFields<T>)>, int>;

template <typename T>
struct ElementOf;
template <typename T>
struct ElementOf<std::vector<T>> {
  using Type = T;
};

// What may be left out as a whole, and is read as what it holds.
template <typename T>
inline constexpr bool kIsOptionalPart = false;
template <typename T>
inline constexpr bool kIsOptionalPart<std::optional<T>> = kIsStruct<T> || std::is_same_v<T, std::string>;

class Reader {
 public:
  Reader(Findings& findings, std::filesystem::path folder) : findings_(findings), folder_(std::move(folder)) {}

  // `path` is where the table is ("route[2]"), `label` how people know it ("[[route]]").
  template <typename T>
  void read(const toml::table& table, T& out, const std::string& path, const std::string& label) {
    std::vector<std::string> known;
    for_each_field<T>([&](const auto& field) {
      known.emplace_back(field.name);
      const std::string place = path.empty() ? field.name : path + "." + field.name;
      if (const toml::node* node = table.get(field.name)) {
        findings_.remember(place, line_of(*node));
        read_value(*node, out.*field.member, field, place, label_of(field.name, label, *node));
      } else if (field.flags & kRequired) {
        findings_.error(line_of(table), label + " needs \"" + field.name + "\": " + field.doc);
      }
    });
    refuse_unknown(table, known, label);
  }

 private:
  static int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }
  static std::string label_of(const std::string& name, const std::string& parent, const toml::node& node) {
    const bool is_nested = parent != "the file";
    if (is_nested && (node.is_array_of_tables() || node.is_table())) return parent + "." + name;
    if (node.is_array_of_tables()) return "[[" + name + "]]";
    if (node.is_table()) return "[" + name + "]";
    return is_nested ? parent + " " + name : name;
  }
  void refuse_unknown(const toml::table& table, const std::vector<std::string>& known, const std::string& label);
  void refuse(const toml::node& node, const std::string& label, const std::string& expected);
  static std::string found(const toml::node& node);

  template <typename T, typename Spec>
  void read_value(const toml::node& node, T& out, const Spec& spec, const std::string& path, const std::string& label) {
    if constexpr (kIsStruct<T>) {
      if (read_short_form(node, out, label)) return;
      if (const toml::table* table = node.as_table()) return read(*table, out, path, label);
      refuse(node, label, "a table");
    } else if constexpr (kIsOptionalPart<T>) {
      read_value(node, out.emplace(), spec, path, label);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!node.is_boolean()) return refuse(node, label, "true or false");
      out = *node.value<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      read_number(node, out, spec, label);
    } else if constexpr (std::is_same_v<T, double>) {
      const auto number = node.is_number() ? node.value<double>() : std::nullopt;
      const bool is_good = number && *number >= static_cast<double>(spec.least) && *number <= static_cast<double>(spec.most);
      if (!is_good) return refuse(node, label, "a share from " + std::to_string(spec.least) + " to " + std::to_string(spec.most) + " such as 0.01");
      out = *number;
    } else if constexpr (std::is_same_v<T, std::string>) {
      read_string(node, out, spec.flags, label);
    } else if constexpr (std::is_same_v<T, Duration>) {
      read_quantity(node, out, spec, label, "a duration such as \"30s\" or \"250ms\"", parse_duration,
                    [](Duration value) { return value.count(); });
    } else if constexpr (std::is_same_v<T, ByteSize>) {
      read_quantity(node, out, spec, label, "a size such as \"64KiB\" or \"1GiB\"", parse_byte_size,
                    [](ByteSize value) { return static_cast<std::int64_t>(value.bytes); });
    } else if constexpr (std::is_same_v<T, IpAddress> || std::is_same_v<T, std::optional<IpAddress>>) {
      read_parsed(node, out, label, "an address such as \"192.0.2.1\" or \"2001:db8::1\"", IpAddress::parse);
    } else if constexpr (std::is_same_v<T, IpPrefix> || std::is_same_v<T, std::optional<IpPrefix>>) {
      read_parsed(node, out, label, "an address or a prefix such as \"192.0.2.1\" or \"10.0.0.0/8\"", IpPrefix::parse);
    } else if constexpr (std::is_same_v<Spec, Field<Backend, Endpoint>>) {
      read_backend_address(node, out, label);
    } else if constexpr (std::is_same_v<T, Endpoint> || std::is_same_v<T, std::optional<Endpoint>>) {
      read_parsed(node, out, label, "address:port such as \"192.0.2.1:443\" or \"[2001:db8::1]:443\"", Endpoint::parse);
    } else {
      read_list(node, out, spec, path, label);
    }
  }

  template <typename T, typename Spec>
  void read_list(const toml::node& node, std::vector<T>& out, const Spec& spec, const std::string& path,
                 const std::string& label) {
    const toml::array* array = node.as_array();
    if (!array && (spec.flags & kOneOrMore)) return read_value(node, out.emplace_back(), spec, path, label);
    if (!array) return refuse(node, label, "a list");
    out.clear();
    out.reserve(array->size());
    for (const toml::node& element : *array) {
      const std::string place = path + "[" + std::to_string(out.size()) + "]";
      findings_.remember(place, line_of(element));
      read_value(element, out.emplace_back(), spec, place, label);
    }
  }

  template <typename T, typename Spec>
  void read_number(const toml::node& node, T& out, const Spec& spec, const std::string& label) {
    const std::string word = spec.flags & kAuto ? "auto" : spec.flags & kAny ? "any" : "";
    if (!word.empty() && node.value<std::string>() == word) {
      out = 0;
      return;
    }
    const std::int64_t least = std::max<std::int64_t>(spec.least, std::numeric_limits<T>::min());
    const std::int64_t most = std::min<std::int64_t>(spec.most, std::numeric_limits<T>::max());
    const auto number = node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
    if (!number || *number < least || *number > most) {
      return refuse(node, label, "a number from " + std::to_string(least) + " to " + std::to_string(most) +
                                     (word.empty() ? "" : ", or \"" + word + "\""));
    }
    out = static_cast<T>(*number);
  }

  void read_string(const toml::node& node, std::string& out, unsigned flags, const std::string& label);

  template <typename T, typename Spec, typename Parse, typename Count>
  void read_quantity(const toml::node& node, T& out, const Spec& spec, const std::string& label,
                     const std::string& expected, Parse parse, Count count) {
    const auto text = node.value<std::string>();
    const auto value = text ? parse(*text) : std::nullopt;
    if (!value) return refuse(node, label, expected);
    if (count(*value) < spec.least || count(*value) > spec.most) {
      return refuse(node, label, "from " + unit_text(out, spec.least) + " to " + unit_text(out, spec.most));
    }
    out = *value;
  }
  static std::string unit_text(Duration, std::int64_t count) { return to_string(Duration(count)); }
  static std::string unit_text(ByteSize, std::int64_t count) {
    return to_string(ByteSize{static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0))});
  }

  template <typename T, typename Parse>
  void read_parsed(const toml::node& node, T& out, const std::string& label, const std::string& expected, Parse parse) {
    const auto text = node.value<std::string>();
    const auto value = text ? parse(*text) : std::nullopt;
    if (!value) return refuse(node, label, expected);
    out = *value;
  }

  // Names change what they mean: whoever wants one says how often it is asked for.
  void read_backend_address(const toml::node& node, Endpoint& out, const std::string& label) {
    const std::string text = node.value<std::string>().value_or("");
    if (!parse_named_port(text))
      return read_parsed(node, out, label, "address:port such as \"192.0.2.1:443\", or a table with address and weight", Endpoint::parse);
    findings_.error(line_of(node), label + ": \"" + text + "\" is a name: expected an address, or discovery = { dns = \"" + text +
                                       "\" } in place of it");
  }
  // A backend may be just its address.
  bool read_short_form(const toml::node& node, Backend& out, const std::string& label) {
    if (!node.is_string()) return false;
    read_backend_address(node, out.address, label);
    return true;
  }
  // A route's pool may be just its name, for one part of the whole.
  bool read_short_form(const toml::node& node, RoutePool& out, const std::string&) {
    if (!node.is_string()) return false;
    out.name = *node.value<std::string>();
    return true;
  }
  // A VIP's node may be just its name.
  bool read_short_form(const toml::node& node, VipNode& out, const std::string&) {
    if (!node.is_string()) return false;
    out.name = *node.value<std::string>();
    return true;
  }
  template <typename T>
  bool read_short_form(const toml::node&, T&, const std::string&) {
    return false;
  }

  Findings& findings_;
  std::filesystem::path folder_;
};

}  // namespace gatehouse::config
