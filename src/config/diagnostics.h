// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, in the words of the one who wrote it: where, which key, what
// was found, what would do. Diagnostics collects, so that all findings are shown at once;
// validators of later layers (a regex that does not compile) append to the same collection. Not
// logging. One thread; a Diagnostic is a value and outlives the sources it quotes.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

enum class Severity : std::uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  std::uint32_t line = 0;    // from 1; 0: the file as a whole
  std::uint32_t column = 0;  // in bytes, from 1
  std::string key;           // "routes.blue.match.path.prefix"; empty when no key is meant
  std::string message;       // one sentence without a full stop
  std::string hint;          // what to do; may be empty
  std::string source_line;   // the line as it stands in the file, cut to a screen's width
  std::uint32_t caret = 0;   // offset of the column within source_line, in bytes
};

// What a finding says, without the place.
struct Finding {
  std::string message;
  std::string hint;
};

class Diagnostics {
 public:
  // A file with ten thousand mistakes has one mistake ten thousand times.
  static constexpr std::size_t kMaxKept = 200;

  // Registers a text that locations may point into; returns its index for SourceLocation::file.
  std::uint32_t add_source(std::string name, std::string text);
  std::string_view source_name(std::uint32_t file) const { return sources_[file].name; }
  std::string_view source_text(std::uint32_t file) const { return sources_[file].text; }

  void error(const SourceLocation& at, std::string_view key, Finding finding) {
    add(Severity::kError, at, key, std::move(finding));
  }
  void warning(const SourceLocation& at, std::string_view key, Finding finding) {
    add(Severity::kWarning, at, key, std::move(finding));
  }

  std::size_t errors() const { return errors_; }
  std::vector<std::string> source_names() const;
  // By place in the files, errors and warnings together; leaves the collection empty.
  std::vector<Diagnostic> take_sorted();

 private:
  struct Source {
    std::string name;
    std::string text;
    std::vector<std::size_t> line_starts;  // filled at the first finding
  };
  struct Kept {
    std::uint32_t file;
    Diagnostic diagnostic;
  };

  void add(Severity severity, const SourceLocation& at, std::string_view key, Finding finding);
  void quote_line(Source& source, Diagnostic& diagnostic) const;

  std::deque<Source> sources_;  // a deque: texts stay where they are when a file is added
  std::vector<Kept> kept_;
  std::size_t errors_ = 0;
  std::size_t dropped_ = 0;
};

enum class ReportFormat : std::uint8_t { kText, kJson };

// Text in the form of a compiler ("conf/x.yaml:12:5: error: ..."), or a JSON array of objects.
std::string render(const std::vector<Diagnostic>& diagnostics, ReportFormat format);

}  // namespace weir::config
