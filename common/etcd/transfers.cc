// libcurl says which sockets and times it waits for; the event loop says when.
#include "common/etcd/transfers.h"

#include <algorithm>
#include <vector>

#include "common/check.h"

namespace gatehouse::etcd {

Transfers::Transfers(EventLoop& loop, const Options& options) : loop_(loop), options_(options) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  GH_CHECK(started == CURLE_OK);
  multi_ = curl_multi_init();
  GH_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Transfers::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Transfers::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

Transfers::~Transfers() {
  while (!transfers_.empty()) remove(transfers_.begin()->first);
  curl_multi_cleanup(multi_);
}

std::uint64_t Transfers::post(const std::string& url, const std::string& token,
                              std::shared_ptr<const std::string> body, Done done, Line on_line) {
  const std::uint64_t id = ++last_id_;
  auto& transfer = *(transfers_[id] = std::make_unique<Transfer>());
  transfer.handle = curl_easy_init();
  GH_CHECK(transfer.handle != nullptr);
  transfer.body = std::move(body);
  transfer.done = std::move(done);
  transfer.on_line = std::move(on_line);
  transfer.fields = curl_slist_append(nullptr, "Content-Type: application/json");
  if (!token.empty())
    transfer.fields = curl_slist_append(transfer.fields, ("Authorization: " + token).c_str());
  const auto set = [&transfer](CURLoption option, auto value) {
    curl_easy_setopt(transfer.handle, option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTPHEADER, transfer.fields);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body->size()));
  set(CURLOPT_POSTFIELDS, transfer.body->data());
  set(CURLOPT_WRITEFUNCTION, &Transfers::on_data);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_ERRORBUFFER, transfer.error);
  set(CURLOPT_PRIVATE, reinterpret_cast<void*>(id));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 2L);
  set(CURLOPT_TCP_KEEPINTVL, 1L);
  if (!transfer.on_line) set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  if (!options_.ca.empty()) set(CURLOPT_CAINFO, options_.ca.c_str());
  if (!options_.certificate.empty()) set(CURLOPT_SSLCERT, options_.certificate.c_str());
  if (!options_.key.empty()) set(CURLOPT_SSLKEY, options_.key.c_str());
  GH_CHECK(curl_multi_add_handle(multi_, transfer.handle) == CURLM_OK);
  return id;
}

void Transfers::stop(std::uint64_t id) {
  if (transfers_.contains(id)) remove(id);
}

void Transfers::remove(std::uint64_t id) {
  const auto transfer = std::move(transfers_.extract(id).mapped());
  curl_multi_remove_handle(multi_, transfer->handle);
  curl_easy_cleanup(transfer->handle);
  curl_slist_free_all(transfer->fields);
}

int Transfers::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& sockets = static_cast<Transfers*>(self)->sockets_;
  if (what == CURL_POLL_REMOVE) {
    sockets.erase(fd);
    return 0;
  }
  const std::uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
  auto& socket = sockets[fd];
  if (socket) {
    socket->watch.change(events);
    return 0;
  }
  socket = std::make_unique<Socket>();
  socket->owner = static_cast<Transfers*>(self);
  socket->fd = fd;
  socket->watch.start(socket->owner->loop_, fd, events, socket.get(), &Transfers::on_ready);
  return 0;
}

int Transfers::on_timer(CURLM*, long milliseconds, void* self) {
  auto& transfers = *static_cast<Transfers*>(self);
  if (milliseconds < 0) {
    transfers.timer_.cancel();
  } else {
    transfers.timer_.arm<&Transfers::on_time>(transfers.loop_, Duration(milliseconds), &transfers);
  }
  return 0;
}

std::size_t Transfers::on_data(char* data, std::size_t size, std::size_t count, void* transfer) {
  constexpr std::size_t kMost = 64u << 20;
  std::string& input = static_cast<Transfer*>(transfer)->input;
  if (input.size() + size * count > kMost) return 0;
  input.append(data, size * count);
  return size * count;
}

void Transfers::on_ready(void* object, std::uint32_t events) {
  const auto& socket = *static_cast<Socket*>(object);
  int what = 0;
  if (events & EPOLLIN) what |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) what |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
  socket.owner->act(socket.fd, what);
}

void Transfers::on_time() { act(CURL_SOCKET_TIMEOUT, 0); }

void Transfers::act(int fd, int events) {
  int running = 0;
  const std::weak_ptr<char> alive = alive_;
  curl_multi_socket_action(multi_, fd, events, &running);
  give_lines();
  if (!alive.expired()) finish_done();
}

// Whoever is called may stop any transfer, or end all of this.
void Transfers::give_lines() {
  const std::weak_ptr<char> alive = alive_;
  std::vector<std::uint64_t> streams;
  for (const auto& [id, transfer] : transfers_) {
    if (transfer->on_line) streams.push_back(id);
  }
  for (const std::uint64_t id : streams) {
    while (!alive.expired()) {
      const auto transfer = transfers_.find(id);
      const std::size_t end =
          transfer == transfers_.end() ? std::string::npos : transfer->second->input.find('\n');
      if (end == std::string::npos) break;
      const std::string line = transfer->second->input.substr(0, end);
      transfer->second->input.erase(0, end + 1);
      const Line on_line = transfer->second->on_line;
      on_line(line);
    }
  }
}

void Transfers::finish_done() {
  const std::weak_ptr<char> alive = alive_;
  int left = 0;
  while (!alive.expired()) {
    const CURLMsg* message = curl_multi_info_read(multi_, &left);
    if (!message) return;
    if (message->msg != CURLMSG_DONE) continue;
    void* id = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &id);
    const CURLcode result = message->data.result;
    const auto& transfer = *transfers_.at(reinterpret_cast<std::uint64_t>(id));
    HttpAnswer answer;
    curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.body = transfer.input;
    const std::string why = transfer.error[0] ? transfer.error : curl_easy_strerror(result);
    const Done done = transfer.done;
    remove(reinterpret_cast<std::uint64_t>(id));
    done(result == CURLE_OK ? Result<HttpAnswer>(std::move(answer)) : Result<HttpAnswer>(Error{why}));
  }
}

}  // namespace gatehouse::etcd
