// SPDX-License-Identifier: Apache-2.0
#include "config/http_words.h"

#include <algorithm>
#include <array>

namespace weir::config {

namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035, 2.3.4, less the root's dot
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxPath = 8192;
constexpr std::size_t kMaxRegex = 4096;
constexpr std::size_t kMaxHeaderName = 256;
constexpr std::size_t kMaxHeaderValue = 8192;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return text;
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

bool is_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    const auto ip = parse_ip(host.substr(1, host.size() - 2));
    return ip && ip->is_v6;
  }
  if (host.empty() || host.size() > kMaxHost) return false;
  for (;;) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

// The colon before a port, or npos.
std::size_t port_colon(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  const bool within_brackets =
      colon != std::string_view::npos && bracket != std::string_view::npos && colon < bracket;
  return within_brackets ? std::string_view::npos : colon;
}

Parsed<std::string> parse_host_pattern(const std::string& text) {
  if (text == "*") return text;
  const std::string_view all = text;
  if (is_host(all.starts_with("*.") ? all.substr(2) : all)) return lower(text);
  Finding finding{"not a host", "write a name such as example.com or *.example.com, or * for all"};
  const std::size_t colon = port_colon(all);
  if (colon != std::string_view::npos && is_host(all.substr(0, colon))) {
    finding = {"a host with a port", "leave the port off: hosts match on every port"};
  } else if (text.find('*') != std::string::npos) {
    finding = {"not a host", "a star stands for the first labels only, as in *.example.com"};
  }
  return std::unexpected(std::move(finding));
}

Parsed<std::string> parse_host_and_port(const std::string& text) {
  const std::string_view all = text;
  const std::size_t colon = port_colon(all);
  const std::string_view host = all.substr(0, colon);
  bool good = is_host(host);
  if (colon != std::string_view::npos) {
    const auto port = parse_integer(all.substr(colon + 1));
    good = good && port && *port >= 1 && *port <= 65535;
  }
  if (good) return lower(text);
  return std::unexpected(Finding{"not a host", "write example.com or example.com:8443"});
}

Parsed<std::string> parse_dns_name(const std::string& text) {
  std::string_view name = text;
  if (name.ends_with('.')) name.remove_suffix(1);  // absolute: no search list
  if (parse_ip(name)) {
    return std::unexpected(
        Finding{"an IP address", "list it under endpoints: [{address: " + text + ":80}]"});
  }
  if (is_host(name) && !name.starts_with('[')) return lower(text);
  return std::unexpected(Finding{"not a DNS name", "write a name such as orders.svc"});
}

Parsed<std::string> parse_server_name(const std::string& text) {
  if (parse_ip(text)) {
    return std::unexpected(Finding{"an IP address", "SNI carries names only; write auto"});
  }
  if (is_host(text) && !text.starts_with('[')) return lower(text);
  return std::unexpected(Finding{"not a name", "write a name such as orders.example.com, or auto"});
}

Parsed<std::string> parse_upgrade(const std::string& text) {
  std::string name = lower(text);
  // RFC 9113 dropped it, and what follows would be requests that no route and no limit sees.
  if (name == "h2c") {
    return std::unexpected(
        Finding{"never a tunnel",
                "requests inside it would pass every rule by; who wants HTTP/2 begins with it"});
  }
  if (is_token(text)) return name;
  return std::unexpected(
      Finding{"not a protocol", "write a name such as websocket, or connect for CONNECT"});
}

Parsed<std::string> parse_method(const std::string& text) {
  if (!is_token(text)) {
    return std::unexpected(Finding{"not a method", "write a method such as GET"});
  }
  if (text == "TRACE") {
    return std::unexpected(Finding{"never routed", "weir refuses TRACE itself"});
  }
  std::string upper = text;
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  // Methods are case-sensitive (RFC 9110, 9.1): a lower-case rule would match next to nothing.
  if (upper == text) return text;
  return std::unexpected(Finding{"not in capitals", "methods are case-sensitive: write " + upper});
}

bool has_dot_segment(std::string_view path) {
  const std::string bounded = std::string(path) + "/";
  return bounded.find("/./") != std::string::npos || bounded.find("/../") != std::string::npos;
}

Parsed<std::string> parse_path(const std::string& text) {
  if (!text.starts_with('/')) {
    return std::unexpected(Finding{"not a path", "begin it with a slash: /" + text});
  }
  if (text.size() > kMaxPath) {
    return std::unexpected(Finding{"longer than any path that weir takes", ""});
  }
  if (text.find_first_of("?#") != std::string::npos) {
    return std::unexpected(
        Finding{"more than a path", "leave ? and # off; match.query matches parameters"});
  }
  if (has_dot_segment(text)) {
    return std::unexpected(
        Finding{"a path with . or .. in it", "requests are normalised first, so it never matches"});
  }
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (printable) return text;
  return std::unexpected(
      Finding{"a path with bytes that no URI has", "percent-encode spaces and non-ASCII letters"});
}

Parsed<std::string> parse_regex(const std::string& text) {
  if (!text.empty() && text.size() <= kMaxRegex) return text;
  return std::unexpected(Finding{text.empty() ? "empty" : "a regex of more than 4 KiB",
                                 "write a pattern in the syntax of RE2"});
}

Parsed<std::string> parse_header_name(const std::string& text) {
  if (is_token(text) && text.size() <= kMaxHeaderName) return lower(text);
  return std::unexpected(
      Finding{"not a header name", "use letters, digits and dashes, as in x-request-id"});
}

Parsed<std::string> parse_editable_header_name(const std::string& text) {
  // These frame the message or belong to one connection: a wrong value is request smuggling.
  constexpr std::array<std::string_view, 9> kFraming{
      "connection", "content-length",    "keep-alive", "proxy-connection", "te", "trailer",
      "upgrade",    "transfer-encoding", "expect"};
  auto name = parse_header_name(text);
  if (!name) return name;
  if (*name == "host") {
    return std::unexpected(Finding{"not set as a header", "use rewrite: {host: ...} on the route"});
  }
  if (std::find(kFraming.begin(), kFraming.end(), *name) == kFraming.end()) return name;
  return std::unexpected(
      Finding{"written by weir itself", "it frames the message or the connection; leave it out"});
}

// RFC 9110, 5.5: visible bytes, inner spaces and tabs.
Parsed<std::string> parse_header_value(const std::string& text) {
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
  const bool padded = !text.empty() && (text.front() == ' ' || text.front() == '\t' ||
                                        text.back() == ' ' || text.back() == '\t');
  if (clean && !padded && text.size() <= kMaxHeaderValue) return text;
  return std::unexpected(
      Finding{"not a header value", "use one line without control characters or outer spaces"});
}

Parsed<HashOn> parse_hash_on(const std::string& text) {
  constexpr std::string_view kHeader = "header:";
  if (text == "client_ip") return HashOn{HashOn::Kind::kClientIp, {}};
  if (text == "path") return HashOn{HashOn::Kind::kPath, {}};
  if (text.starts_with(kHeader)) {
    auto header = parse_header_name(text.substr(kHeader.size()));
    if (header) return HashOn{HashOn::Kind::kHeader, std::move(*header)};
  }
  return std::unexpected(
      Finding{"nothing to hash on", "write `header:NAME`, `client_ip` or `path`"});
}

Scalar format_hash_on(const HashOn& value) {
  switch (value.kind) {
    case HashOn::Kind::kHeader:
      return text_scalar("header:" + value.header);
    case HashOn::Kind::kClientIp:
      return text_scalar("client_ip");
    case HashOn::Kind::kPath:
      return text_scalar("path");
    case HashOn::Kind::kNone:
      break;
  }
  return null_scalar();
}

}  // namespace

ScalarPtr<std::string> host_pattern() { return checked_text("host", parse_host_pattern); }
ScalarPtr<std::string> host_and_port() { return checked_text("host", parse_host_and_port); }
ScalarPtr<std::string> dns_name() { return checked_text("DNS name", parse_dns_name); }
ScalarPtr<std::string> server_name() { return checked_text("name", parse_server_name); }
ScalarPtr<std::string> upgrade_protocol() { return checked_text("protocol", parse_upgrade); }
ScalarPtr<std::string> method() { return checked_text("method", parse_method); }
ScalarPtr<std::string> path() { return checked_text("path", parse_path); }
ScalarPtr<std::string> regex() { return checked_text("regex", parse_regex); }
ScalarPtr<std::string> header_name() { return checked_text("header name", parse_header_name); }
ScalarPtr<std::string> editable_header_name() {
  return checked_text("header name", parse_editable_header_name);
}
ScalarPtr<std::string> header_value() { return checked_text("header value", parse_header_value); }

ScalarPtr<HashOn> hash_on() {
  return scalar(
      ScalarSpec<HashOn>{.type = {"`header:NAME`, `client_ip`, `path` or `null`", {}},
                         .parse = [](const std::string& text) { return parse_hash_on(text); },
                         .format = format_hash_on,
                         .null_value = HashOn{}});
}

}  // namespace weir::config
