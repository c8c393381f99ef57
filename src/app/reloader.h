// SPDX-License-Identifier: Apache-2.0
// Reads the config file again and has it published, or says why not and changes nothing. One run
// at a time: requests that come while one is under way share the next, because the file may have
// changed since it was read. Reading and compiling happen on the config thread.
// Thread: the control loop's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/process.h"
#include "app/compile.h"
#include "app/config_thread.h"
#include "app/limit_office.h"
#include "app/log_thread.h"
#include "app/publisher.h"
#include "config/diff.h"
#include "net/loop.h"

namespace weir::app {

class Reloader {
 public:
  using Done = admin::Process::ReloadDone;

  struct Parts {
    net::Loop& loop;
    ConfigThread& config_thread;
    Publisher& publisher;
    LogThread& log_thread;
    std::shared_ptr<net::TlsTicketKeys> ticket_keys;
    LimitOffice& limits;
  };
  Reloader(Parts parts, std::string path) : parts_(std::move(parts)), path_(std::move(path)) {}
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  /// `done` runs on the loop, later. May be null.
  void request(Done done);
  /// Requests from now on are refused with `why`; one under way ends as it ends.
  void refuse(std::string why) { refusal_ = std::move(why); }
  /// The first config is in force with all workers.
  void started(WallTime now);
  const admin::ReloadTotals& totals() const { return totals_; }

 private:
  /// What the config thread made of the file.
  struct Prepared {
    CompileResult compiled;
    std::optional<LogFile> log_file;  ///< Where lines shall go from now on, if elsewhere.
    std::string problem;              ///< Why a valid config cannot be applied.
    std::vector<config::Change> changes;
  };
  /// On the config thread: touches what never changes.
  Prepared prepare(const Config& before) const;

  void begin();
  void on_prepared(Prepared prepared);
  void reject(std::vector<config::Diagnostic> diagnostics, std::string message);
  void on_applied(const std::string& note, size_t changes,
                  std::vector<config::Diagnostic> warnings);
  void finish(admin::ReloadOutcome outcome);

  const Parts parts_;
  const std::string path_;
  std::string refusal_;
  bool started_ = false;  ///< Requests that come before wait for started().
  bool running_ = false;
  bool again_ = false;         ///< Somebody has asked since the run under way began.
  std::vector<Done> waiting_;  ///< For the next run.
  std::vector<Done> served_;   ///< By the run under way.
  admin::ReloadTotals totals_;
};

}  // namespace weir::app
