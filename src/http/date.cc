// SPDX-License-Identifier: Apache-2.0
#include "http/date.h"

#include <cstring>

namespace weir::http {
namespace {

void two_digits(char* out, unsigned n) {
  out[0] = static_cast<char>('0' + n / 10);
  out[1] = static_cast<char>('0' + n % 10);
}

}  // namespace

void format_date(WallTime time, char* out) {
  using namespace std::chrono;
  auto second = floor<seconds>(time);
  auto day = floor<days>(second);
  year_month_day date{day};
  hh_mm_ss clock{second - day};
  std::memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", kDateLength);
  std::memcpy(out, &"SunMonTueWedThuFriSat"[weekday{day}.c_encoding() * 3], 3);
  two_digits(out + 5, static_cast<unsigned>(date.day()));
  std::memcpy(
      out + 8,
      &"JanFebMarAprMayJunJulAugSepOctNovDec"[(static_cast<unsigned>(date.month()) - 1) * 3], 3);
  auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  two_digits(out + 12, year / 100);
  two_digits(out + 14, year % 100);
  two_digits(out + 17, static_cast<unsigned>(clock.hours().count()));
  two_digits(out + 20, static_cast<unsigned>(clock.minutes().count()));
  two_digits(out + 23, static_cast<unsigned>(clock.seconds().count()));
}

}  // namespace weir::http
