// Keys and values travel in base64, 64-bit numbers as text: so the gateway wants it.
#include "common/etcd/client.h"

#include <openssl/evp.h>

#include <charconv>

#include "common/check.h"
#include "common/etcd/transfers.h"
#include "common/json_fields.h"
#include "common/log.h"

namespace gatehouse::etcd {
namespace {

constexpr Duration kAgain{500};

std::string to_base64(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                                       static_cast<int>(bytes.size()))));
  return text;
}

std::optional<std::string> from_base64(const std::string& text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const std::size_t filled = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(size) - filled);
  return bytes;
}

std::int64_t number_at(const Json& json, const char* key) {
  const std::string text = text_of(member(json, key));
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The first of a list of them; none is an entry that does not exist.
Result<Entry> entry_of(const Json& list) {
  if (!list.is_array() || list.empty()) return Entry();
  auto value = from_base64(text_of(member(list[0], "value")));
  const std::int64_t revision = number_at(list[0], "mod_revision");
  if (!value || revision <= 0) return Error{"etcd: a value that is none"};
  return Entry{std::move(*value), revision};
}

// What the gateway says instead of an answer.
std::string refusal_of(const HttpAnswer& answer, const Json& json) {
  for (const char* key : {"message", "error"}) {
    if (const Json& text = member(json, key); text.is_string()) return text.get<std::string>();
  }
  return "HTTP status " + std::to_string(answer.status);
}

bool is_of_member(const HttpAnswer& answer) { return answer.status >= 500; }

}  // namespace

Client::Client(EventLoop& loop, Options options)
    : loop_(loop), options_(std::move(options)), transfers_(std::make_unique<Transfers>(loop_, options_)) {
  GH_CHECK(!options_.endpoints.empty());
}

Client::~Client() = default;

void Client::call(const std::string& path, Json body, Answer done) {
  const auto text = std::make_shared<const std::string>(body.dump());
  const auto begin = [this, path, text, done] {
    try_member(path, text, options_.endpoints.size(), true, done);
  };
  if (options_.user.empty() || !token_.empty()) return begin();
  log_in([begin, done](const Status& is_in) { is_in ? begin() : done(is_in.error()); });
}

void Client::try_member(const std::string& path, std::shared_ptr<const std::string> body, std::size_t tries,
                        bool may_log_in, Answer done) {
  const std::string url = member();
  transfers_->post(
      url + path, token_, body,
      [this, url, path, body, tries, may_log_in, done](const Result<HttpAnswer>& answer) {
        const Json json =
            answer ? parse_json(answer->body.substr(0, answer->body.find('\n'))) : Json();
        if (answer && answer->status == 200 && json.is_object() && !json.contains("error")) return done(json);
        if (answer && answer->status == 401 && may_log_in && !options_.user.empty()) {
          token_.clear();
          return log_in([=, this](const Status& is_in) {
            is_in ? try_member(path, body, tries, false, done) : done(is_in.error());
          });
        }
        const std::string why = url + ": " + (answer ? refusal_of(*answer, json) : answer.error().message);
        if (answer && !is_of_member(*answer)) return done(Error{why});
        use_next_member();
        if (tries > 1) return try_member(path, body, tries - 1, may_log_in, done);
        done(Error{why});
      });
}

void Client::log_in(std::function<void(Status)> done) {
  const Json body = {{"name", options_.user}, {"password", options_.password}};
  try_member("/v3/auth/authenticate", std::make_shared<const std::string>(body.dump()),
             options_.endpoints.size(), false, [this, done](const Result<Json>& answer) {
               if (!answer) return done(answer.error());
               token_ = text_of(gatehouse::member(*answer, "token"));
               done(token_.empty() ? Status(Error{"etcd: no token for " + options_.user}) : Status());
             });
}

void Client::get(const std::string& key, std::function<void(Result<Entry>)> done) {
  call("/v3/kv/range", {{"key", to_base64(key)}}, [done](const Result<Json>& answer) {
    done(answer ? entry_of(gatehouse::member(*answer, "kvs")) : Result<Entry>(answer.error()));
  });
}

void Client::swap(const std::string& key, std::int64_t revision, const std::string& value, std::int64_t lease,
                  std::function<void(Result<bool>)> done) {
  const Json name = to_base64(key);
  const Json compare = {
      {"key", name}, {"target", "MOD"}, {"result", "EQUAL"}, {"mod_revision", std::to_string(revision)}};
  Json put = {{"key", name}, {"value", to_base64(value)}};
  if (lease) put["lease"] = std::to_string(lease);
  const Json body = {{"compare", Json::array({compare})},
                     {"success", Json::array({Json{{"request_put", put}}})},
                     {"failure", Json::array({Json{{"request_range", {{"key", name}}}}})}};
  call("/v3/kv/txn", body, [done, value](const Result<Json>& answer) {
    if (!answer) return done(answer.error());
    if (gatehouse::member(*answer, "succeeded") == true) return done(true);
    const Json& responses = gatehouse::member(*answer, "responses");
    if (!responses.is_array() || responses.empty())
      return done(Error{"etcd: a transaction without an answer"});
    const auto entry = entry_of(gatehouse::member(gatehouse::member(responses[0], "response_range"), "kvs"));
    if (!entry) return done(entry.error());
    done(entry->exists() && entry->value == value);
  });
}

void Client::grant(std::int64_t seconds, std::function<void(Result<std::int64_t>)> done) {
  call("/v3/lease/grant", {{"TTL", std::to_string(seconds)}}, [done](const Result<Json>& answer) {
    if (!answer) return done(answer.error());
    const std::int64_t lease = number_at(*answer, "ID");
    done(lease > 0 ? Result<std::int64_t>(lease)
                   : Result<std::int64_t>(Error{"etcd: a lease without a number"}));
  });
}

void Client::keep_alive(std::int64_t lease, std::function<void(Status)> done) {
  call("/v3/lease/keepalive", {{"ID", std::to_string(lease)}}, [done](const Result<Json>& answer) {
    if (!answer) return done(answer.error());
    const bool is_alive = number_at(gatehouse::member(*answer, "result"), "TTL") > 0;
    done(is_alive ? Status() : Status(Error{"etcd: the lease has ended"}));
  });
}

// ---- To follow a key ----

Follower::Follower(Client& client, EventLoop& loop, std::string key,
                   std::function<void(const Result<Entry>&)> on_change)
    : client_(client), loop_(loop), key_(std::move(key)), on_change_(std::move(on_change)) {
  ask();
}

Follower::~Follower() { client_.transfers_->stop(stream_); }

void Follower::ask() {
  client_.get(key_, [this, alive = std::weak_ptr<char>(alive_)](const Result<Entry>& entry) {
    if (alive.expired()) return;
    if (!entry) return again(entry.error());
    // Before anybody is told: who is told may end this.
    watch(entry->revision);
    on_change_(*entry);
  });
}

void Follower::watch(std::int64_t revision) {
  Json create = {{"key", to_base64(key_)}};
  if (revision) create["start_revision"] = std::to_string(revision + 1);
  const auto body = std::make_shared<const std::string>(Json{{"create_request", create}}.dump());
  stream_ = client_.transfers_->post(
      client_.member() + "/v3/watch", client_.token_, body,
      [this](const Result<HttpAnswer>& ended) {
        client_.use_next_member();
        again(ended ? Error{"etcd: the watch has ended"} : ended.error());
      },
      [this](const std::string& line) { on_line(line); });
}

void Follower::on_line(const std::string& line) {
  const Json json = parse_json(line);
  const Json& result = gatehouse::member(json, "result");
  if (!result.is_object() || gatehouse::member(result, "canceled") == true) {
    client_.transfers_->stop(stream_);
    return again(Error{"etcd: the watch is refused: " + text_of(gatehouse::member(result, "cancel_reason")) +
                       text_of(gatehouse::member(json, "error"))});
  }
  const Json& events = list_member(result, "events");
  if (events.empty()) return;
  const Json& last = events[events.size() - 1];
  // That it is gone is an entry that does not exist.
  if (text_of(gatehouse::member(last, "type")) == "DELETE") return on_change_(Entry());
  on_change_(entry_of(Json::array({gatehouse::member(last, "kv")})));
}

void Follower::again(const Error& error) {
  again_.arm<&Follower::ask>(loop_, kAgain, this);
  on_change_(error);
}

}  // namespace gatehouse::etcd
