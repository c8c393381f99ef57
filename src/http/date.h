// SPDX-License-Identifier: Apache-2.0
// HTTP dates (IMF-fixdate, RFC 9110, 5.6.7), formatted once a second. One thread, one cache a
// worker; the view is valid until the next at().
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <limits>
#include <string_view>

namespace weir::http {

/// Length of an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
inline constexpr size_t kDateLength = 29;

/// Writes kDateLength bytes to `out`. Requires: a time from year 0 to 9999.
void format_date(WallTime time, char* out);

class DateCache {
 public:
  std::string_view at(WallTime now) {
    int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (second != second_) {
      format_date(now, text_);
      second_ = second;
    }
    return {text_, kDateLength};
  }

 private:
  int64_t second_ = std::numeric_limits<int64_t>::min();
  char text_[kDateLength] = {};
};

}  // namespace weir::http
