// SPDX-License-Identifier: Apache-2.0
// Walks over whole heads, sixteen bytes a step where the machine has SSE2: a browser's head has
// some 700 bytes, and a table look-up for each costs more than the rest of the parse. Internal to
// this folder. Pure functions, safe from every thread.
#pragma once

#include <bit>
#include <cstddef>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace weir::http {

inline bool is_control(char c) {
  auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && u != '\t') || u == 0x7f;
}

/// The first control byte other than HTAB in [from, end), or `end`.
inline size_t find_control(const char* bytes, size_t from, size_t end) {
#ifdef __SSE2__
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; from + 16 <= end; from += 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + from));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return from + static_cast<size_t>(std::countr_zero(mask));
  }
#endif
  while (from < end && !is_control(bytes[from])) ++from;
  return from;
}

/// How many LF there are.
inline size_t count_lines(std::string_view text) {
  size_t lines = 0;
  size_t at = 0;
#ifdef __SSE2__
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i one = _mm_set1_epi8(1);
  const __m128i zero = _mm_setzero_si128();
  __m128i sums = zero;  // two 64-bit counts; baseline x86-64 has no popcount instruction
  for (; at + 16 <= text.size(); at += 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    __m128i found = _mm_and_si128(_mm_cmpeq_epi8(block, lf), one);
    sums = _mm_add_epi64(sums, _mm_sad_epu8(found, zero));
  }
  sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
  lines = static_cast<size_t>(_mm_cvtsi128_si64(sums));
#endif
  for (; at < text.size(); ++at) lines += text[at] == '\n' ? 1 : 0;
  return lines;
}

}  // namespace weir::http
