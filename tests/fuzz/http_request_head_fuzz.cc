// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request head: no crash, and what is accepted is forwarded in a form that is
// accepted again, means the same and is forwarded unchanged.
#include "http_fuzz.h"

namespace weir::http {
namespace {

std::string forwarded(std::string_view text, RequestHead& head, base::Arena& arena) {
  if (!parse_request_head(text, {}, arena, head)) return {};
  std::string out(request_head_bound(head), '?');
  HeadWriter writer(out);
  write_request_head(head, writer);
  CHECK(!writer.overflow());
  return std::string(writer.text());
}

void check_same_meaning(const RequestHead& a, const RequestHead& b) {
  CHECK(a.method == b.method && a.method_text == b.method_text);
  CHECK(a.authority == b.authority && a.host == b.host);
  CHECK(a.path == b.path && a.query == b.query && a.has_query == b.has_query);
  CHECK(a.body.kind == b.body.kind && a.body.length == b.body.length);
}

void run(std::string_view text) {
  Result<size_t> end = find_head_end(text, 0, {}, MessageKind::kRequest);
  if (!end || *end == 0) return;
  CHECK(*end <= text.size());
  Memory memory;
  RequestHead head;
  std::string once = forwarded(text.substr(0, *end), head, memory.arena);
  // Without an authority (HTTP/1.0) the exchange supplies Host; CONNECT has no origin-form.
  if (once.empty() || head.authority.empty() || head.method == Method::kConnect) return;
  Result<size_t> again = find_head_end(once, 0, {}, MessageKind::kRequest);
  if (once.size() > HeadLimits{}.max_bytes || head.path.size() > 5000) return;  // grew past a limit
  CHECK(again && *again == once.size());
  RequestHead second;
  std::string twice = forwarded(once, second, memory.arena);
  CHECK(twice == once);
  check_same_meaning(head, second);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
