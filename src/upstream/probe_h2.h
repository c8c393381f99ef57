// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 side of a check: one session with one stream, a plain request or a call of
// grpc.health.v1, bytes in and out. No socket. Thread: the control loop's.
#pragma once

#include <weir/config.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/account.h"
#include "base/arena.h"
#include "base/block.h"
#include "base/buffer_chain.h"
#include "http/h2_session.h"

namespace weir::upstream {

/// What checks over HTTP/2 work with; one for all of them.
struct ProbeMemory {
  base::BlockPool small{4096, 64};
  base::BlockPool large{16384, 16};
  base::Account account;
};

class ProbeStream final : private http::H2Stream, private http::H2SessionHandler {
 public:
  /// `host` is the authority that is asked for.
  ProbeStream(ProbeMemory& memory, const HealthCheckConfig& check, std::string_view host, bool tls);
  ~ProbeStream();

  /// Takes all of `bytes`. Look at done() then.
  void feed(std::string_view bytes);
  /// Appends what is to be sent.
  void pull(std::string& out);
  bool done() const { return status_ != 0 || !failure_.empty(); }
  /// Once done(): the HTTP status, or 0. A gRPC check gives 200 if the service is serving.
  int status() const { return failure_.empty() ? status_ : 0; }
  std::string_view failure() const { return failure_; }

 private:
  void send();
  void judge_grpc(std::string_view grpc_status);

  base::Arena& h2_arena() override { return arena_; }
  base::Account& h2_account() override { return memory_.account; }
  void on_request(const RequestHead&) override {}
  void on_bad_request(const Error&) override {}
  void on_interim(const ResponseHead&) override {}
  void on_response(const ResponseHead& head) override;
  void on_data(std::string_view bytes) override;
  void on_end(const HeaderList& trailers) override;
  void on_reset(http::H2Error code) override;
  void on_drained() override {}
  http::H2Stream* on_stream_open() override { return nullptr; }
  void on_goaway() override {}
  void on_settings() override {}
  void on_glitch() override {}

  ProbeMemory& memory_;
  const HealthCheckConfig& check_;
  base::Arena arena_;
  http::H2Session session_;
  base::BufferChain out_;
  std::string host_;
  std::string question_;  ///< Of gRPC; borrowed by the session until it is framed.
  std::string answer_;
  std::string failure_;
  int status_ = 0;
  int head_status_ = 0;
};

}  // namespace weir::upstream
