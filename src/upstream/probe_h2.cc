// SPDX-License-Identifier: Apache-2.0
#include "upstream/probe_h2.h"

#include <vector>

#include "http/grpc_health.h"

namespace weir::upstream {
namespace {

// A health answer has a few bytes.
constexpr size_t kMostAnswer = 4096;
constexpr size_t kPullLimit = 64 * 1024;

http::H2Options options_of(bool tls) {
  http::H2Options options;
  options.max_concurrent_streams = 1;
  options.connection_window = 65'535;
  options.max_glitches = 100;
  options.scheme = tls ? "https" : "http";
  return options;
}

void split(std::string_view target, RequestHead& head) {
  const size_t mark = target.find('?');
  head.path = target.substr(0, mark);
  head.has_query = mark != std::string_view::npos;
  if (head.has_query) head.query = target.substr(mark + 1);
}

Method method_of(std::string_view text) {
  if (text == "HEAD") return Method::kHead;
  return text == "OPTIONS" ? Method::kOptions : Method::kGet;
}

}  // namespace

ProbeStream::ProbeStream(ProbeMemory& memory, const HealthCheckConfig& check, std::string_view host,
                         bool tls)
    : memory_(memory),
      check_(check),
      arena_(memory.small, memory.account),
      session_(http::H2Session::Role::kClient, options_of(tls), *this, memory.large),
      host_(host) {
  send();
}

ProbeStream::~ProbeStream() {
  session_.close_streams(http::H2Error::kCancel);
  out_.clear(memory_.large);
}

void ProbeStream::send() {
  std::vector<Header> fields{{"user-agent", "weir-health", HeaderId::kUserAgent}};
  RequestHead head;
  head.version = Version::kHttp2;
  head.authority = host_;
  if (check_.grpc) {
    question_.resize(check_.grpc->service.size() + 16);
    question_.resize(http::write_health_request(check_.grpc->service, question_).size());
    head.method = Method::kPost;
    head.method_text = "POST";
    head.path = http::kGrpcHealthPath;
    head.body = {BodyFraming::Kind::kLength, question_.size()};
    fields.push_back({"content-type", "application/grpc", HeaderId::kContentType});
    fields.push_back({"te", "trailers", HeaderId::kTe});
  } else {
    head.method = method_of(check_.http->method);
    head.method_text = check_.http->method;
    split(check_.http->path, head);
    for (const auto& [name, value] : check_.http->headers) {
      fields.push_back({name, value, HeaderId::kOther});
    }
  }
  std::vector<Header> room(fields.size());
  head.headers = HeaderList(room.data(), room.size());
  for (const Header& field : fields) head.headers.push(field);
  if (!session_.send_request(*this, head)) {
    failure_ = "no stream";
    return;
  }
  if (check_.grpc) session_.send_data(*this, question_);
  session_.send_end(*this, {});
}

void ProbeStream::feed(std::string_view bytes) {
  const bool fine = session_.feed(bytes).has_value();
  session_.deliver();
  if (!fine && !done()) failure_ = "HTTP/2 protocol error";
}

void ProbeStream::pull(std::string& out) {
  session_.pull(out_, memory_.account, kPullLimit);
  while (!out_.empty()) {
    out += out_.front();
    out_.consume(out_.front().size(), memory_.large);
  }
  if (!session_.feeding()) session_.deliver();
}

void ProbeStream::on_response(const ResponseHead& head) {
  head_status_ = head.status;
  if (!check_.grpc) {
    status_ = head.status;
    return;
  }
  // A gRPC server that knows nothing of health says so in a head alone.
  const Header* status = head.headers.find(HeaderId::kGrpcStatus);
  if (head.status != 200) {
    failure_ = "status " + std::to_string(head.status);
  } else if (status != nullptr && status->value != "0") {
    judge_grpc(status->value);
  }
}

void ProbeStream::on_data(std::string_view bytes) {
  session_.consume(*this, bytes.size());
  if (answer_.size() + bytes.size() <= kMostAnswer) answer_ += bytes;
}

void ProbeStream::on_end(const HeaderList& trailers) {
  if (!check_.grpc || done()) return;
  const Header* status = trailers.find(HeaderId::kGrpcStatus);
  judge_grpc(status != nullptr ? status->value : std::string_view("missing"));
}

void ProbeStream::judge_grpc(std::string_view grpc_status) {
  if (grpc_status == "12") {
    failure_ = "no grpc.health.v1 there (grpc-status 12)";
  } else if (grpc_status == "5") {
    failure_ = "service unknown (grpc-status 5)";
  } else if (grpc_status != "0") {
    failure_ = "grpc-status " + std::string(grpc_status.substr(0, 16));
  } else if (http::parse_health_response(answer_) == http::GrpcHealth::kServing) {
    status_ = 200;
  } else {
    failure_ = "not serving";
  }
}

void ProbeStream::on_reset(http::H2Error code) {
  if (!done()) failure_ = "stream reset, code " + std::to_string(static_cast<unsigned>(code));
}

}  // namespace weir::upstream
