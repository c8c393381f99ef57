// SPDX-License-Identifier: Apache-2.0
// Any bytes as a response head: no crash, and what is accepted is forwarded in a form that is
// accepted again with the same status and framing. The first byte chooses GET or HEAD.
#include "http_fuzz.h"

namespace weir::http {
namespace {

std::string forwarded(std::string_view text, Method method, ResponseHead& head,
                      base::Arena& arena) {
  if (!parse_response_head(text, {}, arena, method, head)) return {};
  remove_hop_by_hop(head.headers);
  std::string out(response_head_bound(head), '?');
  HeadWriter writer(out);
  write_response_head(head, ConnectionField::kNone, writer);
  CHECK(!writer.overflow());
  return std::string(writer.text());
}

void run(std::string_view text) {
  Method method = take_byte(text) % 2 == 0 ? Method::kGet : Method::kHead;
  Result<size_t> end = find_head_end(text, 0, {}, MessageKind::kResponse);
  if (!end || *end == 0) return;
  Memory memory;
  ResponseHead head;
  std::string once = forwarded(text.substr(0, *end), method, head, memory.arena);
  if (once.empty() || once.size() > HeadLimits{}.max_bytes) return;
  Result<size_t> again = find_head_end(once, 0, {}, MessageKind::kResponse);
  CHECK(again && *again == once.size());
  ResponseHead second;
  std::string twice = forwarded(once, method, second, memory.arena);
  CHECK(twice == once);
  CHECK(head.status == second.status && head.reason == second.reason);
  CHECK(head.body.kind == second.body.kind && head.body.length == second.body.length);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
