// SPDX-License-Identifier: Apache-2.0
// Takes the framing off a message body: length, chunked (a strict decoder of weir's own), until
// close, or none. Data comes out as views of the input; nothing is buffered but trailers, and those
// only if an arena is given. Not a relay: the caller moves the bytes. One thread.
//
// Errors are a request's (kBadChunk, kClientClosed); a caller that reads a response maps them.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

class BodyReader {
 public:
  enum class Event : uint8_t {
    kNeedMore,  ///< All of the input was framing or nothing: call again with more.
    kData,      ///< `data` is body. Call again with the input after `consumed`.
    kEnd,       ///< The body is over; bytes after `consumed` belong to the next message.
  };
  struct Step {
    Event event = Event::kNeedMore;
    std::string_view data;  ///< Points into the input.
    size_t consumed = 0;    ///< Bytes of the input that are done with, `data` included.
  };

  /// Begins a body. Trailers that come are kept in `trailers` (which outlives their use), or
  /// checked and dropped if it is null. A default-constructed reader is one of no body: finished.
  void start(const BodyFraming& framing, base::Arena* trailers = nullptr);

  /// The next piece of `in`. After an error the reader is dead and says kBadChunk again. After the
  /// end: kEnd with nothing consumed.
  Result<Step> next(std::string_view in);

  /// What kind of framing this body has.
  BodyFraming::Kind kind() const { return kind_; }
  /// kLength: bytes still to come. kChunked: bytes of the current chunk still to come.
  /// kUntilClose, kTunnel: the maximum. kNone: 0.
  uint64_t remaining() const { return remaining_; }
  /// Whether every byte of the body has been taken; for kLength already with the last kData.
  bool finished() const { return state_ == State::kDone; }
  /// `n` body bytes went by without next() (splice). Requires: not kChunked, and
  /// n <= remaining().
  void skip(uint64_t n);
  /// The peer has sent its last byte. Ends a kUntilClose or kTunnel body; an unfinished other one is
  /// kClientClosed.
  Result<void> on_eof();
  /// Trailer fields, after the end. Those that may not come in trailers (framing, routing,
  /// authentication: RFC 9110, 6.5.1) are left out.
  const HeaderList& trailers() const { return trailers_; }

 private:
  bool until_close() const {
    return kind_ == BodyFraming::Kind::kUntilClose || kind_ == BodyFraming::Kind::kTunnel;
  }
  enum class State : uint8_t {
    kDone,
    kBody,       // kLength, kUntilClose, kTunnel, or inside a chunk
    kSizeFirst,  // before the first digit of a chunk size
    kSize,
    kExtName,
    kExtNameRest,
    kExtValue,
    kExtToken,
    kExtQuoted,
    kExtEscape,
    kExtQuotedEnd,
    kSizeLf,
    kDataCr,
    kDataLf,
    kTrailerStart,  // at the start of a trailer line, or of the last CR LF
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kFailed,
  };

  Result<Step> next_chunked(std::string_view in);
  bool step(char c);
  bool step_size(char c);
  bool step_extension(char c);
  bool step_trailer(char c);
  bool keep_trailer(char c);
  void finish_trailers();

  uint64_t remaining_ = 0;
  base::Arena* arena_ = nullptr;
  char* trailer_text_ = nullptr;
  HeaderList trailers_;
  uint16_t trailer_capacity_ = 0;
  uint16_t trailer_size_ = 0;
  uint8_t trailer_lines_ = 0;
  uint16_t extension_bytes_ = 0;  // over the whole body: cheap chunks may not carry dear extensions
  uint8_t digits_ = 0;
  BodyFraming::Kind kind_ = BodyFraming::Kind::kNone;
  State state_ = State::kDone;
};

static_assert(sizeof(BodyReader) <= 64, "one is part of each direction of each exchange");

}  // namespace weir::http
