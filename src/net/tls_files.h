// SPDX-License-Identifier: Apache-2.0
// What TLS settings name files for, and what is wrong with them in the words of the one who wrote
// the settings. Findings become config::Diagnostics in app/, which knows the key's first half
// ("listeners.edge"). Off the loop only: files are read, keys are checked.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net {

struct TlsFinding {
  bool error = true;        ///< Else a warning.
  SourceLocation location;  ///< Of the setting.
  std::string key;          ///< "tls.certificates[a.pem].key", from the listener or cluster on.
  std::string message;      ///< One sentence without a full stop; names the file.
  std::string hint;
};
using TlsFindings = std::vector<TlsFinding>;
bool has_errors(const TlsFindings& findings);

/// What there is to say about a certificate in force.
struct TlsCertificateFacts {
  std::string file;
  std::string subject;             ///< RFC 2253.
  std::vector<std::string> names;  ///< DNS names it answers to, lower-case, wildcards as written.
  WallTime not_after{};
};

class TlsTicketKeys;
class TlsTrust;

/// What contexts of one config share while they are built.
class TlsBuild {
 public:
  /// From a path as the settings have it to one that opens.
  using Locate = std::function<std::string(const std::string&)>;

  /// `process_keys` seal the tickets of listeners without key files. No `locate`: paths as written.
  TlsBuild(std::shared_ptr<TlsTicketKeys> process_keys, WallTime now, Locate locate = {});
  ~TlsBuild();

  WallTime now() const { return now_; }
  std::string locate(const std::string& path) const { return locate_ ? locate_(path) : path; }
  const std::shared_ptr<TlsTicketKeys>& process_keys() const { return process_keys_; }
  /// The CAs of a PEM file, read once however many clusters name it. "" is the system's. The error
  /// is a sentence.
  struct Trusted {
    std::shared_ptr<const TlsTrust> trust;  ///< Null on error.
    std::string error;
  };
  const Trusted& trust(const std::string& file);

 private:
  std::shared_ptr<TlsTicketKeys> process_keys_;
  WallTime now_;
  Locate locate_;
  std::map<std::string, Trusted> trusts_;
};

/// Fresh keys for the process, rotated by themselves from then on.
std::shared_ptr<TlsTicketKeys> make_process_ticket_keys();

}  // namespace weir::net
