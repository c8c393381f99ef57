// SPDX-License-Identifier: Apache-2.0
// Reads one message the way a connection does - find the head, parse it, take the body off - in
// pieces of any size, and says what came of it. For the unit tests and the fuzz targets: what comes
// out must not depend on the pieces.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/body_reader.h"
#include "http/head.h"
#include "http/head_writer.h"
#include "http/header_id.h"

namespace weir::http {

struct Memory {
  base::Account account;
  base::BlockPool pool{8192, 4};
  base::Arena arena{pool, account};
};

struct Outcome {
  enum class Kind { kIncomplete, kRefused, kAccepted };
  Kind kind = Kind::kIncomplete;
  bool in_body = false;      // where it was refused, or where it waits
  std::string_view reason;   // of a refusal
  unsigned status = 0;       // of a refusal
  std::string head;          // as weir writes it on
  std::string host;          // authority of a request
  std::string body;          // decoded
  std::string trailers;      // as weir writes them on
  std::string rest;          // after the message
  bool until_close = false;  // a response that ends with its connection

  bool operator==(const Outcome&) const = default;
};

class MessageRun {
 public:
  MessageRun(MessageKind kind, Method request_method, std::string_view bytes, size_t piece)
      : kind_(kind), method_(request_method), bytes_(bytes), piece_(piece == 0 ? 1 : piece) {}

  Outcome run() {
    size_t head_end = find_head();
    if (head_end == 0) return out_;
    Result<void> parsed = parse(bytes_.substr(0, head_end));
    if (!parsed) return refuse(parsed.error(), false);
    read_body(head_end);
    return out_;
  }

 private:
  size_t find_head() {
    size_t seen = 0;
    while (seen < bytes_.size()) {
      size_t now = std::min(seen + piece_, bytes_.size());
      Result<size_t> end = find_head_end(bytes_.substr(0, now), seen, {}, kind_);
      if (!end) return refuse(end.error(), false), 0;
      if (*end > 0) return *end;
      seen = now;
    }
    return 0;
  }

  Result<void> parse(std::string_view text) {
    if (kind_ == MessageKind::kRequest) {
      RequestHead head;
      Result<void> done = parse_request_head(text, {}, memory_.arena, head);
      if (!done) return done;
      framing_ = head.body;
      remove_hop_by_hop(head.headers);
      out_.host = head.authority;
      out_.head.resize(request_head_bound(head));
      HeadWriter writer(out_.head);
      write_request_head(head, writer);
      out_.head.resize(writer.overflow() ? 0 : writer.size());
      return done;
    }
    ResponseHead head;
    Result<void> done = parse_response_head(text, {}, memory_.arena, method_, head);
    if (!done) return done;
    framing_ = head.body;
    out_.until_close = head.body.kind == BodyFraming::Kind::kUntilClose;
    remove_hop_by_hop(head.headers);
    out_.head.resize(response_head_bound(head));
    HeadWriter writer(out_.head);
    write_response_head(head, ConnectionField::kNone, writer);
    out_.head.resize(writer.overflow() ? 0 : writer.size());
    return done;
  }

  void read_body(size_t from) {
    BodyReader reader;
    reader.start(framing_, &memory_.arena);
    size_t at = from;
    while (!reader.finished() && at < bytes_.size()) {
      Result<BodyReader::Step> step = reader.next(bytes_.substr(at, piece_));
      if (!step) {
        refuse(step.error(), true);
        return;
      }
      out_.body += step->data;
      at += step->consumed;
    }
    if (out_.until_close && reader.on_eof()) at = bytes_.size();
    out_.in_body = !reader.finished();
    if (!reader.finished()) return;
    out_.kind = Outcome::Kind::kAccepted;
    out_.rest = bytes_.substr(at);
    if (reader.trailers().size() == 0) return;
    out_.trailers.resize(last_chunk_bound(reader.trailers()));
    HeadWriter writer(out_.trailers);
    write_last_chunk(reader.trailers(), writer);
    out_.trailers.resize(writer.overflow() ? 0 : writer.size());
  }

  /// A response's chunk errors count as its framing, as the exchange reports them.
  Outcome refuse(Error error, bool in_body) {
    if (error.code == ErrorCode::kBadChunk && kind_ == MessageKind::kResponse) {
      error = make_error(ErrorCode::kUpstreamBadFraming);
    }
    out_ = Outcome{};
    out_.kind = Outcome::Kind::kRefused;
    out_.in_body = in_body;
    out_.reason = error_info(error.code).reason;
    out_.status = error_info(error.code).status;
    return out_;
  }

  MessageKind kind_;
  Method method_;
  std::string_view bytes_;
  size_t piece_;
  Memory memory_;
  BodyFraming framing_;
  Outcome out_;
};

inline Outcome read_message(MessageKind kind, std::string_view bytes, size_t piece,
                            Method request_method = Method::kGet) {
  return MessageRun(kind, request_method, bytes, piece).run();
}

}  // namespace weir::http
