// SPDX-License-Identifier: Apache-2.0
// What HTTP/2 costs a request beside its bytes' way to the socket: the server's session from the
// request's frames to the answer's, and the client's likewise. Expected on a 3 GHz core: a small
// request and its answer below 2.5 us, of which nghttp2 has the larger part.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "http/h2_session.h"
#include "http/header_id.h"

namespace {

using namespace weir;
using namespace weir::http;

struct Connection;

class Stream final : public H2Stream {
 public:
  Stream(base::BlockPool& pool, base::Account& account)
      : account_(account), arena_(pool, account) {}

  base::Arena& h2_arena() override { return arena_; }
  base::Account& h2_account() override { return account_; }
  void on_request(const RequestHead& head) override { benchmark::DoNotOptimize(&head); }
  void on_bad_request(const Error&) override {}
  void on_interim(const ResponseHead&) override {}
  void on_response(const ResponseHead& head) override { benchmark::DoNotOptimize(&head); }
  void on_data(std::string_view bytes) override { received += bytes.size(); }
  void on_end(const HeaderList&) override { ended = true; }
  void on_reset(H2Error) override {}
  void on_drained() override {}
  void recycle() {
    arena_.reset();
    ended = false;
  }

  size_t received = 0;
  bool ended = false;

 private:
  base::Account& account_;
  base::Arena arena_;
};

struct Connection final : H2SessionHandler {
  explicit Connection(H2Session::Role role) : session(role, {}, *this, large) {}
  ~Connection() { session.close_streams(H2Error::kCancel); }

  H2Stream* on_stream_open() override { return &stream; }
  void on_goaway() override {}
  void on_settings() override {}
  void on_glitch() override {}
  std::string_view pull() {
    out.clear(large);
    session.pull(out, account, 65536);
    return out.front();
  }
  void feed(std::string_view bytes) { benchmark::DoNotOptimize(session.feed(bytes)); }

  base::Account account;
  base::BlockPool small{4096, 8};
  base::BlockPool large{65536, 8};
  base::BufferChain out;
  Stream stream{small, account};
  H2Session session;
};

struct Fields {
  Header memory[16];
  HeaderList list{memory, 16};
  void add(std::string_view name, std::string_view value) {
    list.push({name, value, header_id(name)});
  }
};

// Both ends, one request after the other: what a proxy pays that speaks HTTP/2 on both sides.
void exchange(benchmark::State& state) {
  Connection client(H2Session::Role::kClient);
  Connection server(H2Session::Role::kServer);
  server.feed(client.pull());
  client.feed(server.pull());
  server.feed(client.pull());
  Fields asked;
  asked.add("user-agent", "h2load nghttp2/1.52.0");
  asked.add("accept", "*/*");
  RequestHead request;
  request.method_text = "GET";
  request.authority = request.host = "shop.example.com";
  request.path = "/orders/42";
  request.headers = asked.list;
  Fields told;
  told.add("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
  told.add("Server", "origin");
  told.add("Content-Type", "application/json");
  told.add("Content-Length", "128");
  told.add("ETag", "\"33a64df5\"");
  ResponseHead response;
  response.status = 200;
  response.body = {BodyFraming::Kind::kLength, 128};
  response.headers = told.list;
  const std::string body(128, 'x');
  for (auto _ : state) {
    client.session.send_request(client.stream, request);
    client.session.send_end(client.stream, {});
    server.feed(client.pull());
    server.session.send_response(server.stream, response);
    server.session.send_data(server.stream, body);
    server.session.send_end(server.stream, {});
    client.feed(server.pull());
    if (!client.stream.ended) state.SkipWithError("no answer");
    server.session.finish(server.stream);
    client.session.finish(client.stream);
    server.stream.recycle();
    client.stream.recycle();
  }
  client.out.clear(client.large);
  server.out.clear(server.large);
}
BENCHMARK(exchange);

// A body of 1 MiB in pieces of the given size, from the sender's session to the receiver's.
void body(benchmark::State& state) {
  Connection client(H2Session::Role::kClient);
  Connection server(H2Session::Role::kServer);
  RequestHead request;
  request.method_text = "POST";
  request.authority = "a.example";
  request.path = "/";
  request.body = {BodyFraming::Kind::kChunked, 0};
  client.session.send_request(client.stream, request);
  const std::string piece(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    for (size_t sent = 0; sent < 1 << 20; sent += piece.size()) {
      client.session.send_data(client.stream, piece);
      const size_t before = server.stream.received;
      server.feed(client.pull());
      server.session.consume(server.stream, server.stream.received - before);
      client.feed(server.pull());
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(server.stream.received));
  client.out.clear(client.large);
  server.out.clear(server.large);
}
BENCHMARK(body)->Arg(4096)->Arg(32768);

}  // namespace
