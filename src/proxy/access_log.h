// SPDX-License-Identifier: Apache-2.0
// An access log format, compiled: a list of pieces (fixed text, then a field) walked once a line.
// JSON, common and templates are the same machine with different pieces, so there is one place
// that escapes. Writes to memory of the caller's: no allocation, no locale, no system call.
//
// Whatever a client sends, a line stays one line: control bytes, quotes, backslashes, C1 controls
// and bytes that are no UTF-8 come out escaped. In JSON a byte that is no UTF-8 reads `\xNN` after
// parsing; elsewhere control bytes read so too.
//
// Immutable after compile(); any thread. Not the ring, not the file: see base/log_ring.h.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/access_record.h"

namespace weir::proxy {

class LogLine;

class AccessLogFormat {
 public:
  /// The error is a sentence that names the unknown or broken field and the known ones.
  static std::expected<AccessLogFormat, std::string> compile(const AccessLogConfig& config);

  /// Whether this exchange gets a line: failures (a reason word, a 5xx, no status) always, of the
  /// others the configured share. `draw` is any uniform random number; false for `off`.
  bool wants(const AccessRecord& record, uint64_t draw) const;

  /// Writes one line, '\n' included, and returns its length. A line that does not fit into `room`
  /// is written again with every text cut short (JSON stays valid and says "truncated":true);
  /// 0 if even that does not fit, which kRoomEnough rules out for every template of normal length.
  size_t format(const AccessRecord& record, char* out, size_t room) const;

  /// Room in which no line of the built-in formats comes out as 0.
  static constexpr size_t kRoomEnough = 16 * 1024;

  /// The names that %{name} knows, for documentation and error messages.
  static std::vector<std::string_view> field_names();

 private:
  struct Piece {
    uint32_t text_begin = 0;  ///< Into texts_.
    uint32_t text_size = 0;
    uint8_t field = 0;  ///< Index into the table of fields; 255: text only.
  };
  static constexpr size_t kWhole = SIZE_MAX;  ///< No text is cut.

  AccessLogFormat() = default;
  void add(std::string_view text, uint8_t field);
  void compile_json();
  std::expected<void, std::string> compile_template(std::string_view text);
  bool write(const AccessRecord& record, size_t longest, LogLine& line) const;

  bool off_ = false;
  bool json_ = false;
  uint32_t sample_ppm_ = 0;
  std::string texts_;
  std::vector<Piece> pieces_;
};

}  // namespace weir::proxy
