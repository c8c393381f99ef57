// SPDX-License-Identifier: Apache-2.0
#include "http/body_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "http/chars.h"
#include "http/limits.h"
#include "http/trailers.h"

namespace weir::http {

void BodyReader::start(const BodyFraming& framing, base::Arena* trailers) {
  *this = BodyReader{};
  kind_ = framing.kind;
  arena_ = trailers;
  switch (kind_) {
    case BodyFraming::Kind::kNone:
      break;
    case BodyFraming::Kind::kLength:
      remaining_ = framing.length;
      state_ = remaining_ == 0 ? State::kDone : State::kBody;
      break;
    case BodyFraming::Kind::kChunked:
      state_ = State::kSizeFirst;
      break;
    case BodyFraming::Kind::kUntilClose:
    case BodyFraming::Kind::kTunnel:
      remaining_ = std::numeric_limits<uint64_t>::max();
      state_ = State::kBody;
      break;
  }
}

Result<BodyReader::Step> BodyReader::next(std::string_view in) {
  if (state_ == State::kDone) return Step{Event::kEnd, {}, 0};
  if (kind_ == BodyFraming::Kind::kChunked) return next_chunked(in);
  if (in.empty()) return Step{};
  std::string_view data =
      in.substr(0, static_cast<size_t>(std::min<uint64_t>(in.size(), remaining_)));
  skip(data.size());
  return Step{Event::kData, data, data.size()};
}

Result<BodyReader::Step> BodyReader::next_chunked(std::string_view in) {
  size_t at = 0;
  while (at < in.size()) {
    if (state_ == State::kBody) {
      size_t n = static_cast<size_t>(std::min<uint64_t>(in.size() - at, remaining_));
      remaining_ -= n;
      if (remaining_ == 0) state_ = State::kDataCr;
      return Step{Event::kData, in.substr(at, n), at + n};
    }
    if (!step(in[at])) {
      state_ = State::kFailed;
      return fail(ErrorCode::kBadChunk);
    }
    ++at;
    if (state_ == State::kDone) return Step{Event::kEnd, {}, at};
  }
  return Step{Event::kNeedMore, {}, at};
}

void BodyReader::skip(uint64_t n) {
  DCHECK(kind_ != BodyFraming::Kind::kChunked && n <= remaining_);
  if (until_close()) return;
  remaining_ -= n;
  if (remaining_ == 0) state_ = State::kDone;
}

Result<void> BodyReader::on_eof() {
  if (until_close()) state_ = State::kDone;
  if (state_ == State::kDone) return {};
  state_ = State::kFailed;
  return fail(ErrorCode::kClientClosed, "body cut off");
}

// One framing byte. False: not well-formed.
bool BodyReader::step(char c) {
  switch (state_) {
    case State::kSizeFirst:
    case State::kSize:
    case State::kSizeLf:
      return step_size(c);
    case State::kDataCr:
      state_ = State::kDataLf;
      return c == '\r';
    case State::kDataLf:
      state_ = State::kSizeFirst;
      return c == '\n';
    case State::kExtName:
    case State::kExtNameRest:
    case State::kExtValue:
    case State::kExtToken:
    case State::kExtQuoted:
    case State::kExtEscape:
    case State::kExtQuotedEnd:
      return step_extension(c);
    case State::kTrailerStart:
    case State::kTrailerName:
    case State::kTrailerValue:
    case State::kTrailerLf:
    case State::kLastLf:
      return step_trailer(c);
    case State::kDone:
    case State::kBody:
    case State::kFailed:
      break;
  }
  return false;
}

// chunk-size CRLF. No white space anywhere: RFC 9112, 7.1.1 calls it bad, and readers differ on it.
bool BodyReader::step_size(char c) {
  if (state_ == State::kSizeLf) {
    state_ = remaining_ > 0 ? State::kBody : State::kTrailerStart;
    digits_ = 0;
    return c == '\n';
  }
  if (is_char(c, kHexChar)) {
    state_ = State::kSize;
    if (++digits_ > kMaxChunkSizeDigits) return false;
    remaining_ = remaining_ * 16 + hex_value(c);
    // Readers with a signed 64-bit size would see it as negative.
    return remaining_ <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  }
  if (state_ == State::kSizeFirst) return false;
  if (c == ';') {
    state_ = State::kExtName;
    return true;
  }
  state_ = State::kSizeLf;
  return c == '\r';
}

// *( ";" name [ "=" ( token / quoted-string ) ] ), checked and dropped. A lax reader may look for
// the end of the line elsewhere, so line ends inside quotes are refused like everywhere.
bool BodyReader::step_extension(char c) {
  if (++extension_bytes_ > kMaxChunkExtensionBytes) return false;
  bool token = is_char(c, kTokenChar);
  bool value_may_end = false;
  switch (state_) {
    case State::kExtName:
      state_ = State::kExtNameRest;
      return token;
    case State::kExtNameRest:
      if (token) return true;
      if (c == '=') {
        state_ = State::kExtValue;
        return true;
      }
      value_may_end = true;
      break;
    case State::kExtValue:
      state_ = c == '"' ? State::kExtQuoted : State::kExtToken;
      return token || c == '"';
    case State::kExtToken:
      if (token) return true;
      value_may_end = true;
      break;
    case State::kExtQuoted:
      if (c == '"') state_ = State::kExtQuotedEnd;
      if (c == '\\') state_ = State::kExtEscape;
      return is_char(c, kFieldChar);
    case State::kExtEscape:
      state_ = State::kExtQuoted;
      return is_char(c, kFieldChar);
    default:
      value_may_end = true;
      break;
  }
  state_ = c == ';' ? State::kExtName : State::kSizeLf;
  return value_may_end && (c == ';' || c == '\r');
}

// *( name ":" value CRLF ) CRLF, by the rules of header fields.
bool BodyReader::step_trailer(char c) {
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') {
        state_ = State::kLastLf;
        return true;
      }
      state_ = State::kTrailerName;
      return is_char(c, kTokenChar) && keep_trailer(c);
    case State::kTrailerName:
      if (c == ':') {
        state_ = State::kTrailerValue;
        return keep_trailer(c);
      }
      return is_char(c, kTokenChar) && keep_trailer(c);
    case State::kTrailerValue:
      if (c == '\r') {
        state_ = State::kTrailerLf;
        return true;
      }
      return is_char(c, kFieldChar) && keep_trailer(c);
    case State::kTrailerLf:
      state_ = State::kTrailerStart;
      return c == '\n' && keep_trailer(c);
    default:
      state_ = State::kDone;
      finish_trailers();
      return c == '\n';
  }
}

bool BodyReader::keep_trailer(char c) {
  if (c == '\n') ++trailer_lines_;
  if (trailer_size_ == kMaxTrailerBytes || trailer_lines_ > kMaxTrailers) return false;
  if (arena_ == nullptr) {
    ++trailer_size_;
    return true;
  }
  if (trailer_size_ == trailer_capacity_) {
    // Doubles inside the arena; what is left behind is at most as much again.
    size_t capacity = trailer_capacity_ == 0 ? 256 : size_t{trailer_capacity_} * 2;
    char* memory = static_cast<char*>(arena_->allocate(capacity));
    if (trailer_size_ > 0) std::memcpy(memory, trailer_text_, trailer_size_);
    trailer_text_ = memory;
    trailer_capacity_ = static_cast<uint16_t>(capacity);
  }
  trailer_text_[trailer_size_++] = c;
  return true;
}

void BodyReader::finish_trailers() {
  if (trailer_lines_ == 0 || arena_ == nullptr) return;
  trailers_ = HeaderList(arena_->unset_array<Header>(trailer_lines_), trailer_lines_);
  split_trailers({trailer_text_, trailer_size_}, trailers_);
}

}  // namespace weir::http
