// SPDX-License-Identifier: Apache-2.0
#include "config/diagnostics.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::config {

namespace {

constexpr std::size_t kMaxQuoted = 160;

// Cuts a line to what fits a screen, keeping the column in view; minified YAML has lines of
// megabytes.
std::string_view window(std::string_view line, std::size_t column, std::uint32_t& caret) {
  std::size_t begin = 0;
  if (column > kMaxQuoted / 2 && line.size() > kMaxQuoted) {
    begin = std::min(column - kMaxQuoted / 2, line.size() - kMaxQuoted);
  }
  caret = static_cast<std::uint32_t>(column - begin);
  return line.substr(begin, kMaxQuoted);
}

std::vector<std::size_t> find_line_starts(std::string_view text) {
  std::vector<std::size_t> starts{0};
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    starts.push_back(at + 1);
  }
  return starts;
}

}  // namespace

std::uint32_t Diagnostics::add_source(std::string name, std::string text) {
  sources_.push_back(Source{std::move(name), std::move(text), {}});
  return static_cast<std::uint32_t>(sources_.size() - 1);
}

std::vector<std::string> Diagnostics::source_names() const {
  std::vector<std::string> names;
  for (const Source& source : sources_) names.push_back(source.name);
  return names;
}

void Diagnostics::quote_line(Source& source, Diagnostic& diagnostic) const {
  if (diagnostic.line == 0) return;
  if (source.line_starts.empty()) source.line_starts = find_line_starts(source.text);
  if (diagnostic.line > source.line_starts.size()) return;
  const std::size_t begin = source.line_starts[diagnostic.line - 1];
  std::string_view line = std::string_view(source.text).substr(begin);
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t column =
      std::min<std::size_t>(diagnostic.column == 0 ? 0 : diagnostic.column - 1, line.size());
  diagnostic.source_line = window(line, column, diagnostic.caret);
}

void Diagnostics::add(Severity severity, const SourceLocation& at, std::string_view key,
                      Finding finding) {
  if (severity == Severity::kError) ++errors_;
  if (kept_.size() == kMaxKept) {
    ++dropped_;
    return;
  }
  Diagnostic diagnostic{.severity = severity,
                        .file = {},
                        .line = at.line,
                        .column = at.column,
                        .key = std::string(key),
                        .message = std::move(finding.message),
                        .hint = std::move(finding.hint),
                        .source_line = {},
                        .caret = 0};
  if (at.file < sources_.size()) {
    diagnostic.file = sources_[at.file].name;
    quote_line(sources_[at.file], diagnostic);
  }
  kept_.push_back(Kept{at.file, std::move(diagnostic)});
}

std::vector<Diagnostic> Diagnostics::take_sorted() {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Kept& a, const Kept& b) {
    return std::tie(a.file, a.diagnostic.line, a.diagnostic.column) <
           std::tie(b.file, b.diagnostic.line, b.diagnostic.column);
  });
  std::vector<Diagnostic> all;
  all.reserve(kept_.size() + 1);
  for (Kept& kept : kept_) all.push_back(std::move(kept.diagnostic));
  if (dropped_ != 0) {
    Diagnostic rest;
    rest.severity = errors_ == 0 ? Severity::kWarning : Severity::kError;
    rest.file = sources_.empty() ? std::string() : sources_.front().name;
    rest.message = "and " + std::to_string(dropped_) + " more findings that are not shown";
    all.push_back(std::move(rest));
  }
  kept_.clear();
  errors_ = 0;
  dropped_ = 0;
  return all;
}

}  // namespace weir::config
