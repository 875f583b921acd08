// The library opens files only, and maps them: it gets a copy in memory, which nobody can cut short
// meanwhile.
#include "l7/supervisor/country_database.h"

#include <maxminddb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <unordered_map>

#include "common/fd.h"

namespace gatehouse::l7 {
namespace {

Result<Fd> copy_of(std::string_view bytes) {
  Fd memory(memfd_create("gatehouse-countries", MFD_CLOEXEC));
  if (!memory.is_open()) return system_error("memfd");
  while (!bytes.empty()) {
    const ssize_t count = write(memory.get(), bytes.data(), bytes.size());
    if (count <= 0) return system_error("memfd");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return memory;
}

// Depth first, so that ranges come in the order of their addresses.
class Walk {
 public:
  explicit Walk(const MMDB_s& database)
      : database_(database), most_visits_(4 * std::uint64_t{database.metadata.node_count} + 4) {}

  Status run() {
    const bool is_v4 = database_.metadata.ip_version == 4;
    return visit(0, {}, is_v4 ? 96 : 0);
  }
  CountryTable take() { return std::move(table_); }

 private:
  using Start = CountryTable::Start;
  static constexpr unsigned kBits = 128;

  static Start with_bit(Start start, unsigned depth) {
    (depth < 64 ? start.high : start.low) |= std::uint64_t{1} << (63 - depth % 64);
    return start;
  }

  Status visit(std::uint32_t number, Start start, unsigned depth) {
    if (depth >= kBits || ++visits_ > most_visits_) return Error{"its search tree has no end"};
    MMDB_search_node_s node;
    if (const int code = MMDB_read_node(&database_, number, &node); code != MMDB_SUCCESS)
      return Error{MMDB_strerror(code)};
    const Status left =
        enter(node.left_record_type, node.left_record, node.left_record_entry, start, depth + 1);
    return left ? enter(node.right_record_type, node.right_record, node.right_record_entry,
                        with_bit(start, depth), depth + 1)
                : left;
  }

  Status enter(std::uint8_t type, std::uint64_t record, MMDB_entry_s entry, Start start, unsigned depth) {
    // IPv4 is found again under prefixes of IPv6 that stand for it.
    const bool is_alias = record == database_.ipv4_start_node.node_value &&
                          database_.ipv4_start_node.netmask == 96 && start != Start();
    if (type == MMDB_RECORD_TYPE_SEARCH_NODE && !is_alias)
      return visit(static_cast<std::uint32_t>(record), start, depth);
    CountryCode country;
    if (type == MMDB_RECORD_TYPE_DATA) {
      const auto found = country_of(entry);
      if (!found) return found.error();
      country = *found;
    } else if (type == MMDB_RECORD_TYPE_INVALID) {
      return Error{"its search tree has an invalid record"};
    }
    table_.add(start, country);
    return {};
  }

  Result<CountryCode> country_of(MMDB_entry_s entry) {
    const auto known = known_.find(entry.offset);
    if (known != known_.end()) return known->second;
    CountryCode country;
    for (const char* key : {"country", "registered_country"}) {
      MMDB_entry_data_s data;
      const int code = MMDB_get_value(&entry, &data, key, "iso_code", nullptr);
      if (code == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) continue;
      if (code != MMDB_SUCCESS) return Error{MMDB_strerror(code)};
      if (!data.has_data) continue;
      const bool is_text = data.type == MMDB_DATA_TYPE_UTF8_STRING;
      const auto parsed = is_text ? CountryCode::parse({data.utf8_string, data.data_size}) : std::nullopt;
      if (!parsed) return Error{"an iso_code in it is not two letters"};
      country = *parsed;
      break;
    }
    known_.emplace(entry.offset, country);
    return country;
  }

  const MMDB_s& database_;
  CountryTable table_;
  std::unordered_map<std::uint32_t, CountryCode> known_;  // by place of the data
  std::uint64_t visits_ = 0;
  std::uint64_t most_visits_;
};

}  // namespace

Result<CountryTable> read_countries(std::string_view bytes) {
  const auto memory = copy_of(bytes);
  if (!memory) return memory.error();
  MMDB_s database;
  const int code =
      MMDB_open(("/proc/self/fd/" + std::to_string(memory->get())).c_str(), MMDB_MODE_MMAP, &database);
  if (code != MMDB_SUCCESS) return Error{MMDB_strerror(code)};
  const std::unique_ptr<MMDB_s, void (*)(MMDB_s*)> closing(&database, MMDB_close);
  Walk walk(database);
  if (const Status walked = walk.run(); !walked) return walked.error();
  CountryTable table = walk.take();
  if (!table.has_country()) return Error{"it has no countries"};
  return table;
}

}  // namespace gatehouse::l7
