// SPDX-License-Identifier: Apache-2.0
// What `weir check` and `weir diff` print.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "config/diff.h"
#include "config/load.h"

namespace weir::config {

namespace {

constexpr std::size_t kMaxShown = 200;  // a whole cluster on one line helps nobody on a terminal

std::string counted(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::size_t count_severity(const std::vector<Diagnostic>& findings, Severity severity) {
  return static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [&](const auto& d) { return d.severity == severity; }));
}

std::string verdict(const LoadResult& result, const std::vector<Diagnostic>& findings) {
  const std::size_t warnings = count_severity(findings, Severity::kWarning);
  if (!result && findings.size() > Diagnostics::kMaxKept) {
    return fmt::format("more than {} findings", Diagnostics::kMaxKept);
  }
  if (!result) return counted(count_severity(findings, Severity::kError), "error");
  const Config& config = result->config;
  std::string text = fmt::format("ok: {}, {}, {}", counted(config.listeners.size(), "listener"),
                                 counted(config.clusters.size(), "cluster"),
                                 counted(config.routes.size(), "route"));
  if (warnings != 0) text += fmt::format(" ({})", counted(warnings, "warning"));
  return text;
}

std::string shown(const std::string& text) {
  return text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "...";
}

void append_text(const Change& change, fmt::memory_buffer& out) {
  auto to = std::back_inserter(out);
  switch (change.kind) {
    case ChangeKind::kAdded:
      fmt::format_to(to, "+ {}: {}\n", change.path, shown(change.after));
      break;
    case ChangeKind::kRemoved:
      fmt::format_to(to, "- {}: {}\n", change.path, shown(change.before));
      break;
    case ChangeKind::kChanged:
      fmt::format_to(to, "~ {}: {} -> {}\n", change.path, shown(change.before),
                     shown(change.after));
      break;
  }
  if (!change.effect.empty()) fmt::format_to(to, "    {}\n", change.effect);
}

const char* kind_word(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdded:
      return "added";
    case ChangeKind::kRemoved:
      return "removed";
    case ChangeKind::kChanged:
      break;
  }
  return "changed";
}

std::string to_text(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string check_report(const LoadResult& result, const std::string& path, ReportFormat format) {
  const std::vector<Diagnostic>& findings = result ? result->warnings : result.error();
  if (format == ReportFormat::kText) {
    return render(findings, format) + path + ": " + verdict(result, findings) + "\n";
  }
  return to_text({{"ok", result.has_value()},
                  {"errors", count_severity(findings, Severity::kError)},
                  {"warnings", count_severity(findings, Severity::kWarning)},
                  {"findings", nlohmann::ordered_json::parse(render(findings, format))}});
}

std::string render(const std::vector<Change>& changes, ReportFormat format) {
  if (format == ReportFormat::kText) {
    if (changes.empty()) return "no change\n";
    fmt::memory_buffer out;
    for (const Change& change : changes) append_text(change, out);
    return fmt::to_string(out);
  }
  auto all = nlohmann::ordered_json::array();
  for (const Change& change : changes) {
    all.push_back({{"kind", kind_word(change.kind)},
                   {"path", change.path},
                   {"before", change.before},
                   {"after", change.after},
                   {"effect", change.effect},
                   {"needs_restart", change.needs_restart}});
  }
  return to_text(all);
}

}  // namespace weir::config
