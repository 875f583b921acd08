// What "explain" and "reload" answered, as text.
#include "common/json_fields.h"
#include "common/cli/report.h"
#include "common/cli/text_table.h"

namespace gatehouse::cli {
namespace {

std::string flag_text(const Json& value, const char* yes, const char* no) {
  return value.is_boolean() ? (value.get<bool>() ? yes : no) : text_of(value);
}

// "label  value" lines; those without a value are left out.
class Facts {
 public:
  void add(const char* label, const std::string& value) {
    if (!value.empty()) table_.add_row({label, value});
  }
  std::string text() const { return table_.text(); }

 private:
  TextTable table_;
};

// A list of {route, is_match, why}, or of plain sentences.
std::string why_table(const Json& reasons) {
  TextTable table;
  for (const char* heading : {"ROUTE", "MATCH", "WHY"}) table.add_column(heading);
  for (const Json& reason : reasons) {
    if (reason.is_object()) {
      const std::string match = text_of(member(reason, "match"));
      table.add_row({text_of(member(reason, "route")) + (match.empty() ? "" : " match " + match), flag_text(member(reason, "is_match"), "yes", "no"),
                     text_of(member(reason, "why"))});
    } else {
      table.add_row({"", "", text_of(reason)});
    }
  }
  return table.is_empty() ? "" : "\n" + table.text();
}

std::string backend_table(const Json& backends) {
  TextTable table;
  for (const char* heading : {"POOL", "BACKEND", "HEALTH", "REASON"}) table.add_column(heading);
  for (const Json& backend : backends) {
    table.add_row({text_of(member(backend, "pool")), text_of(member(backend, "address")),
                   flag_text(member(backend, "is_healthy"), "ok", "FAILED"),
                   text_of(member(backend, "reason"))});
  }
  return table.is_empty() ? "" : "\n" + table.text();
}

// Of a route that has several.
std::string pool_table(const Json& pools) {
  TextTable table;
  for (const char* heading : {"POOL", "WEIGHT", "SHARE"}) table.add_column(heading);
  for (const Json& pool : pools) {
    const Json& share = member(pool, "share");
    table.add_row({text_of(member(pool, "name")), text_of(member(pool, "weight_now")),
                   share.is_number() ? format_share(share.get<double>(), 2) : ""});
  }
  return table.is_empty() ? "" : "\n" + table.text();
}

}  // namespace

std::string explain_report(const Json& result) {
  const bool is_routed = !member(result, "route").is_null();
  const std::string status = text_of(member(result, "status"));
  Facts facts;
  const std::string sent = text_of(member(result, "path_sent"));
  if (!sent.empty()) facts.add("path", text_of(member(result, "path")) + ", which " + sent + " stands for");
  facts.add("route", text_of(member(result, "route")));
  if (const std::string match = text_of(member(result, "match")); !match.empty()) facts.add("match", match);
  if (const std::string country = text_of(member(result, "country")); !country.empty()) facts.add("country", country);
  facts.add("pool", text_of(member(result, "pool")));
  facts.add("class", text_of(member(result, "priority_class")));
  facts.add("sticky", text_of(member(result, "sticky")));
  facts.add("status", status);
  facts.add("action", text_of(member(result, "action")));
  facts.add("mirror", text_of(member(result, "mirror")));
  for (const char* term : {"timeouts", "retries", "body"}) {
    if (const std::string text = text_of(member(result, term)); !text.empty()) facts.add(term, text);
  }
  facts.add("node", text_of(member(result, "node")));
  std::string text = is_routed ? facts.text() : (status.empty() ? "404" : status) + ": no route matches\n";
  if (const std::string refusal = text_of(member(result, "refusal")); !refusal.empty()) text = status + ": " + refusal + "\n";
  const Json& why = member(result, "why");
  if (why.is_string()) text += "\n" + text_of(why) + "\n";
  return text + pool_table(list_member(result, "pools")) + why_table(list_member(result, "why")) + backend_table(list_member(result, "backends"));
}

std::string explain_packet_report(const Json& result) {
  Facts facts;
  facts.add("vip", text_of(member(result, "vip")));
  facts.add("group", text_of(member(result, "group")));
  facts.add("slot", text_of(member(result, "slot")));
  facts.add("epoch", text_of(member(result, "epoch")));
  facts.add("node", text_of(member(result, "node")));
  if (const std::string guard = text_of(member(result, "guard")); !guard.empty()) facts.add("protection", guard);
  facts.add("why", text_of(member(result, "why")));
  TextTable hops;
  for (const char* heading : {"HOP", "ID", "NODE", "ADDRESS"}) hops.add_column(heading);
  const Json& list = list_member(result, "hops");
  for (std::size_t i = 0; i < list.size(); ++i) {
    hops.add_row({i == 0 ? "owner" : "earlier", text_of(member(list[i], "id")),
                  text_of(member(list[i], "name")), text_of(member(list[i], "address"))});
  }
  return facts.text() + (hops.is_empty() ? "" : "\n" + hops.text());
}

ReloadReport reload_report(const Json& result) {
  ReloadReport report;
  if (const std::string digest = digest_of(member(result, "digest")); !digest.empty()) {
    report.text = "config " + digest + " is in use\n";
  }
  for (const Json& note : list_member(result, "notes")) report.text += text_of(note) + "\n";
  const Json& nodes = member(result, "nodes");
  if (!nodes.is_object()) return report;
  for (const auto& [name, answer] : nodes.items()) {
    const std::string text = text_of(answer);
    if (text == "ok") {
      report.text += "node " + name + ": ok\n";
    } else {
      report.refused += "node " + name + ": " + text + "\n";
    }
  }
  return report;
}

}  // namespace gatehouse::cli
