// The files that workers need as the node uses them, those of TLS, bodies of responses, the database of countries: read and
// checked before a config is taken, watched from then on.
// What is replaced on disk and is good is handed to on_change; what is bad, or does not fit together, is
// logged and the earlier one stays in use. Certificate and key may be replaced one after the other: they are
// looked at when nothing has changed for a moment.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/certificate.h"
#include "common/config/model.h"
#include "common/control/messages.h"
#include "common/event_loop.h"
#include "l7/tls/files.h"

namespace gatehouse::l7 {

class TlsStore {
 public:
  TlsStore(EventLoop& loop, std::function<void()> on_change);

  // All files that `config` names. Errors name listener or pool, and the file.
  Result<TlsFiles> read(const config::Config& config);
  // What read() said is in use.
  void use(const config::Config& config, TlsFiles files);
  const TlsFiles& files() const { return files_; }
  int memory() const { return memory_.get(); }  // with files(): for workers
  // Those that expire first.
  std::vector<control::CertificateReport> report() const;

 private:
  // Files that must fit together.
  struct Unit {
    std::string label;                          // "[[listener]] \"web\""
    std::vector<std::string> files;             // without empty names
    const config::Certificate* pair = nullptr;  // one of these
    const config::Listener* clients = nullptr;
    const config::Pool* pool = nullptr;
    const config::Route* route = nullptr;
    bool is_countries = false;
  };
  struct Signature {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Signature&) const = default;
  };
  void set_files(TlsFiles files);
  static std::vector<Unit> units_of(const config::Config& config);
  Result<TlsFile> content_of(const Unit& unit, const std::string& file, std::string text) const;
  static Signature signature_of(const std::string& file);
  Status read_unit(const Unit& unit, TlsFiles& files) const;
  Status check(const Unit& unit, const TlsFiles& files);
  Status check_pair(const config::Certificate& pair, const TlsFiles& files);
  bool is_in_use(const Unit& unit, const TlsFiles& files) const;
  void watch_folders();
  void on_notification(std::uint32_t);
  void on_poll();
  void look();

  EventLoop& loop_;
  std::function<void()> on_change_;
  PrivateKeyReader keys_;
  config::Config config_;
  std::vector<Unit> units_;  // of config_
  TlsFiles files_;
  Fd memory_;
  std::map<std::string, Signature> signatures_;
  Fd notifications_;
  std::map<std::string, int> folders_;  // that are watched
  Watch watch_;
  Timer settle_;
  Timer poll_;
};

}  // namespace gatehouse::l7
