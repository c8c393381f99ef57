// SPDX-License-Identifier: Apache-2.0
// Any bytes as a chunked body, in one piece and cut by the first byte: no crash, the same data, end
// and verdict; and what is decoded and written in chunks again decodes to the same.
#include "http_fuzz.h"

namespace weir::http {
namespace {

struct Decoded {
  std::string data;
  std::string trailers;
  bool failed = false;
  bool finished = false;
  size_t consumed = 0;
};

Decoded decode(std::string_view text, size_t piece) {
  Memory memory;
  Decoded out;
  BodyReader reader;
  reader.start({BodyFraming::Kind::kChunked, 0}, &memory.arena);
  while (!reader.finished() && out.consumed < text.size()) {
    std::string_view in = text.substr(out.consumed, piece);
    Result<BodyReader::Step> step = reader.next(in);
    if (!step) {
      out.failed = true;
      return out;
    }
    CHECK(step->consumed > 0 && step->consumed <= in.size());
    CHECK(step->data.size() <= step->consumed);
    out.data += step->data;
    out.consumed += step->consumed;
  }
  out.finished = reader.finished();
  for (const Header& trailer : reader.trailers()) {
    CHECK(trailer.id == HeaderId::kOther);
    out.trailers.append(trailer.name).append(": ").append(trailer.value).append("\r\n");
  }
  return out;
}

void run(std::string_view text) {
  size_t piece = take_byte(text) % 16 + 1;
  Decoded whole = decode(text, text.size());
  Decoded cut = decode(text, piece);
  CHECK(whole.failed == cut.failed && whole.data == cut.data);
  if (whole.failed) return;
  CHECK(whole.finished == cut.finished && whole.consumed == cut.consumed);
  CHECK(whole.trailers == cut.trailers);
  if (!whole.finished) return;
  std::string again(ChunkPrefix(whole.data.size()).text());
  if (whole.data.empty()) {
    again.clear();
  } else {
    again.append(whole.data).append(kChunkEnd);
  }
  again.append("0\r\n").append(whole.trailers).append("\r\n");
  Decoded second = decode(again, again.size());
  CHECK(second.finished && second.data == whole.data && second.trailers == whole.trailers);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
