// SPDX-License-Identifier: Apache-2.0
// A whole message in one piece against the same message in small pieces: head, body, trailers, rest
// and verdict must be equal. The first byte chooses kind, method and size of the pieces.
#include "http_fuzz.h"

namespace weir::http {
namespace {

void run(std::string_view text) {
  size_t choice = take_byte(text);
  MessageKind kind = (choice & 1) != 0 ? MessageKind::kResponse : MessageKind::kRequest;
  Method method = (choice & 2) != 0 ? Method::kHead : Method::kGet;
  Outcome whole = read_message(kind, text, text.size(), method);
  CHECK(whole == read_message(kind, text, 1, method));
  CHECK(whole == read_message(kind, text, choice / 4 + 2, method));
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
