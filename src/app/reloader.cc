// SPDX-License-Identifier: Apache-2.0
#include "app/reloader.h"

#include <utility>

#include "app/op_log.h"

namespace weir::app {
namespace {

bool same_sink(const AccessLogConfig& a, const AccessLogConfig& b) {
  return a.sink == b.sink && a.path == b.path;
}

void log_findings(const std::vector<config::Diagnostic>& findings) {
  for (const config::Diagnostic& d : findings) {
    const bool error = d.severity == config::Severity::kError;
    op_log(error ? LogLevel::kError : LogLevel::kWarning, d.message,
           {{"at", d.file + ":" + std::to_string(d.line) + ":" + std::to_string(d.column)},
            {"key", d.key},
            {"hint", d.hint}});
  }
}

std::string restart_note(const std::vector<config::Change>& changes) {
  std::string note;
  for (const config::Change& change : changes) {
    if (change.needs_restart) note += (note.empty() ? "" : ", ") + change.path;
  }
  return note.empty() ? note : "restart weir for these to take effect: " + note;
}

}  // namespace

void Reloader::started(WallTime now) {
  totals_.version = parts_.publisher.version();
  totals_.last_applied = now;
  started_ = true;
  if (again_) begin();
}

void Reloader::request(Done done) {
  if (!refusal_.empty()) {
    if (!done) return;
    parts_.loop.post([this, reply = std::move(done)]() mutable {
      reply({false, totals_.version, {}, "no reload: " + refusal_});
    });
    return;
  }
  if (done) waiting_.push_back(std::move(done));
  again_ = true;
  if (started_ && !running_) begin();
}

void Reloader::begin() {
  running_ = true;
  again_ = false;
  served_ = std::exchange(waiting_, {});
  parts_.config_thread.post([this, before = parts_.publisher.current()->config]() mutable {
    auto prepared = std::make_unique<Prepared>(prepare(*before));
    // If a later snapshot has replaced it meanwhile, it is this thread that frees it.
    before.reset();
    parts_.loop.post([this, ready = std::move(prepared)] { on_prepared(std::move(*ready)); });
  });
}

Reloader::Prepared Reloader::prepare(const Config& before) const {
  Prepared out{compile_file(path_, parts_.ticket_keys), {}, {}, {}};
  if (!out.compiled) return out;
  const Config& after = *out.compiled->config;
  if (out.compiled->policies) {
    parts_.limits.equip(after, *out.compiled->policies);
  }
  out.changes = config::diff(before, after);
  if (same_sink(before.access_log, after.access_log)) return out;
  auto file = LogFile::open(after.access_log);
  if (file) {
    out.log_file = std::move(*file);
  } else {
    out.problem = std::move(file.error());
  }
  return out;
}

void Reloader::on_prepared(Prepared prepared) {
  if (!prepared.compiled) return reject(std::move(prepared.compiled.error()), {});
  log_findings(prepared.compiled->warnings);
  std::vector<config::Diagnostic> warnings = prepared.compiled->warnings;
  if (!prepared.problem.empty()) {
    parts_.config_thread.free_later(std::make_unique<Compiled>(std::move(*prepared.compiled)));
    return reject(std::move(warnings), std::move(prepared.problem));
  }

  const std::string note = restart_note(prepared.changes);
  const size_t changes = prepared.changes.size();
  auto published = parts_.publisher.publish(
      std::move(*prepared.compiled), [this, note, changes, kept = std::move(warnings)]() mutable {
        on_applied(note, changes, std::move(kept));
      });
  if (!published) return reject({}, std::move(published.error()));
  if (prepared.log_file) parts_.log_thread.change_file(std::move(*prepared.log_file));
}

void Reloader::on_applied(const std::string& note, size_t changes,
                          std::vector<config::Diagnostic> warnings) {
  totals_.version = parts_.publisher.version();
  totals_.last_applied = parts_.loop.wall();
  ++totals_.applied;
  totals_.last_succeeded = true;
  op_log(LogLevel::kInfo, "config applied",
         {{"file", path_}, {"version", totals_.version}, {"changes", changes}});
  if (!note.empty()) op_log(LogLevel::kWarning, note);
  finish({true, totals_.version, std::move(warnings), note});
}

void Reloader::reject(std::vector<config::Diagnostic> diagnostics, std::string message) {
  ++totals_.rejected;
  totals_.last_succeeded = false;
  log_findings(diagnostics);
  op_log(LogLevel::kError, "reload rejected, nothing has changed",
         {{"file", path_},
          {"version", totals_.version},
          {"reason", message.empty() ? "the file has errors" : message}});
  finish({false, totals_.version, std::move(diagnostics), std::move(message)});
}

void Reloader::finish(admin::ReloadOutcome outcome) {
  running_ = false;
  for (Done& done : std::exchange(served_, {})) done(outcome);
  if (again_) begin();
}

}  // namespace weir::app
