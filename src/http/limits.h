// SPDX-License-Identifier: Apache-2.0
// Bounds of weir's HTTP/1 reader that no configuration moves, because nothing legitimate comes near
// them and each caps the work that one message can cause.
#pragma once

#include <cstddef>

namespace weir::http {

/// The longest registered method, UPDATEREDIRECTREF, has 17 bytes.
inline constexpr size_t kMaxMethodBytes = 32;
/// Connection options of one message: each is compared with each unknown field.
inline constexpr size_t kMaxConnectionOptions = 32;
/// Chunk extensions of one whole body: weir drops them, so they are pure cost.
inline constexpr size_t kMaxChunkExtensionBytes = 4096;
/// A chunk size is at most so many digits: 64 bits, leading zeros included.
inline constexpr size_t kMaxChunkSizeDigits = 16;
inline constexpr size_t kMaxTrailerBytes = 8192;
inline constexpr size_t kMaxTrailers = 32;

}  // namespace weir::http
