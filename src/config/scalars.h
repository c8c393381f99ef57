// SPDX-License-Identifier: Apache-2.0
// The scalar codecs that the tables of keys are written with: values.h plus ranges and words.
// Each factory returns an immutable codec; a range is inclusive and part of every finding.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/codec.h"

namespace weir::config {

// What zero means to a duration, size or rate.
enum class Zero : std::uint8_t { kRefused, kOff };

ScalarPtr<Millis> duration(Zero zero, Millis min = Millis{1}, Millis max = std::chrono::hours{24});
ScalarPtr<std::uint64_t> size(Zero zero, std::uint64_t min = 1,
                              std::uint64_t max = std::uint64_t{1} << 50);
ScalarPtr<ByteRate> rate();
ScalarPtr<Share> share(Share max = Share::percent(100));
ScalarPtr<bool> boolean();
ScalarPtr<std::int64_t> integer(std::int64_t min, std::int64_t max);

// Any text; any but the empty one.
ScalarPtr<std::string> text();
ScalarPtr<std::string> nonempty_text();

// The name of a file that somebody else opens.
ScalarPtr<std::string> file_path();
// A text that may also be absent: empty in the struct, `word` (`auto`, `system`, `null`) in YAML.
ScalarPtr<std::string> word_or(std::string_view word, const ScalarPtr<std::string>& inner);

ScalarPtr<Address> address();
ScalarPtr<Cidr> cidr();

// Names of listeners, clusters and routes, which end up in logs and metric labels.
Parsed<std::string> parse_name(const std::string& text);
ScalarPtr<std::string> name();

// Scalars whose rule is a function of the text alone.
ScalarPtr<std::string> checked_text(std::string_view type,
                                    std::function<Parsed<std::string>(const std::string&)> parse);

// HTTP/2: SETTINGS_MAX_CONCURRENT_STREAMS, and flow-control windows (RFC 9113, 6.9.2).
ScalarPtr<std::uint32_t> http2_streams();
ScalarPtr<std::uint64_t> http2_window();

// A number of type T within [min, max].
template <std::integral T>
ScalarPtr<T> count(T min = 0, T max = std::numeric_limits<T>::max()) {
  const auto inner =
      integer(static_cast<std::int64_t>(min),
              static_cast<std::int64_t>(std::min<std::uint64_t>(
                  static_cast<std::uint64_t>(max), std::numeric_limits<std::int64_t>::max())));
  ScalarSpec<T> spec;
  spec.type = inner->spec().type;
  spec.parse = [inner](const std::string& text) -> Parsed<T> {
    auto value = inner->spec().parse(text);
    if (!value) return std::unexpected(std::move(value.error()));
    return static_cast<T>(*value);
  };
  spec.format = [](const T& value) { return Scalar{std::to_string(value), Scalar::Kind::kNumber}; };
  return scalar(std::move(spec));
}

// What is said about a word that is none of `words`.
Finding unknown_word(std::string_view text, const std::vector<std::string_view>& words);

template <class E>
using Words = std::vector<std::pair<std::string_view, E>>;

// "one of a, b, c" for a list of words.
template <class E>
std::string one_of(const Words<E>& words) {
  std::string out = "one of ";
  for (const auto& [word, value] : words) {
    if (&word != &words.front().first) out += ", ";
    out += word;
  }
  return out;
}

// A word that is a number, such as a status, is written as one.
Scalar word_scalar(std::string_view word);

template <class E>
ScalarPtr<E> enumeration(Words<E> words) {
  ScalarSpec<E> spec;
  spec.type.name = one_of(words);
  spec.parse = [words](const std::string& text) -> Parsed<E> {
    std::vector<std::string_view> known;
    for (const auto& [word, value] : words) {
      if (word == text) return value;
      known.push_back(word);
    }
    return std::unexpected(unknown_word(text, known));
  };
  spec.format = [words](const E& value) {
    for (const auto& [word, candidate] : words) {
      if (candidate == value) return word_scalar(word);
    }
    return null_scalar();
  };
  return scalar(std::move(spec));
}

}  // namespace weir::config
