// SPDX-License-Identifier: Apache-2.0
// One request and its response: the heart. Its life is the list of steps at the top of exchange.cc;
// all failures go to fail(). It speaks to the client through DownstreamStream and to the origin
// through UpstreamStream, and cannot tell which protocol stands behind either.
//
// Lifetime: taken from the worker's slab at the first byte of a head, given back after
// DownstreamStream::exchange_finished(). Everything it allocates lives in its arena. Codecs call
// the on_* functions; none of them destroys the exchange. One thread.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>
#include <weir/message.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/account.h"
#include "base/arena.h"
#include "base/buffer_chain.h"
#include "base/intrusive_list.h"
#include "base/outcome_window.h"
#include "net/timer_wheel.h"
#include "proxy/attempt.h"
#include "proxy/breaker_call.h"
#include "proxy/stream.h"
#include "route/route.h"
#include "upstream/failover_member.h"
#include "upstream/permits.h"
#include "upstream/retry_policy.h"

namespace weir::net {
class TlsSession;
}

namespace weir::policy {
enum class TrafficOutcome : uint8_t;
enum class CellReason : std::uint8_t;
struct LimitVerdict;
struct RefusalText;
struct ReleaseRow;
}  // namespace weir::policy

namespace weir::upstream {
enum class HedgeRefusal : std::uint8_t;
class FailoverGroup;
}  // namespace weir::upstream

namespace weir::proxy {

struct BestAnswer;
struct Deadline;
class Cells;
struct CellCall;
struct GrpcCall;
struct Admitted;
struct Hedge;
struct Hops;
struct Owner;
struct Placed;
struct Policies;
struct ProxyTold;
struct Trail;
enum class MemoryRefusal : uint8_t;
struct Tunnel;
struct Snapshot;
class MirrorCopy;
class Worker;
class WorkerListener;

/// The client of an exchange, as its codec knows it. Views outlive the exchange.
struct Client {
  DownstreamStream* stream;
  WorkerListener* listener;
  const net::Peer* peer;
  const net::TlsSession* tls;  ///< Null on a plain connection.
  const ProxyTold* told;       ///< Null without a PROXY header.
  TimePoint started;           ///< When the first byte of the head came, by the clock.
};

class Exchange final : public base::ListLink<> {
 public:
  Exchange(Worker& worker, const Client& client);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  /// Requires: finished.
  ~Exchange();

  base::Arena& arena() { return arena_; }
  /// Filled by the client's codec before on_request_head().
  RequestHead& request() { return request_; }
  const RequestHead& request() const { return request_; }
  Worker& worker() { return worker_; }

  // ---- From the client's codec, in this order.
  /// `head_at`: when its last byte came.
  void on_request_head(TimePoint head_at);
  /// The head (or later the body) cannot be accepted.
  void on_request_error(const Error& error);
  void on_request_body(std::string_view bytes);
  /// Body bytes that went by through UpstreamStream::raw_sink().
  void on_request_spliced(uint64_t bytes);
  void on_request_end(const HeaderList& trailers);
  void on_downstream_drained();
  /// The client is gone, or too slow to be kept: nothing more can be sent to it.
  void on_downstream_gone(const Error& error);
  /// Where request body bytes may be moved as they are; null if somebody must look at them.
  net::Socket* request_sink();
  /// request_sink() is full: on_upstream_drained() will follow.
  void await_request_sink();

  // ---- From the origin's codec, while it is leased.
  // `from` tells apart the two attempts of an exchange that hedges.
  void on_connected(UpstreamStream& stream);
  /// The connection that was waited for has no room: the same try leases another one.
  void lease_again(const UpstreamStream& from);
  /// Still connecting, but another object will be the stream.
  void on_stream_changed(const UpstreamStream& from, UpstreamStream& to);
  void on_interim(const ResponseHead& head);
  void on_response_head(const UpstreamStream& from, const ResponseHead& head);
  void on_response_body(std::string_view bytes);
  void on_response_spliced(uint64_t bytes);
  void on_response_end(const HeaderList& trailers);
  /// The origin has sent its last byte into a tunnel; the stream stays leased for the other way.
  void on_tunnel_end();
  void on_upstream_drained(const UpstreamStream& from);
  /// The attempt is over and its stream is no longer ours.
  void on_upstream_error(const UpstreamStream& from, const Error& error);
  net::Socket* response_sink();
  /// response_sink() is full: the stream is resumed when it drains.
  void await_response_sink();

  // ---- From the limits.
  /// A wait for a place is over, one way or the other.
  void on_limits(const policy::LimitVerdict& verdict);

  // ---- From a placement.
  /// A place in a cluster of the worker's snapshot, by the cluster's place there, if its breakers
  /// and its limits let the exchange in. It is not in before go_in().
  Result<Admitted> admit_to(uint32_t target, upstream::Reach reach);

  // ---- From a copy of a request (exchange_mirror.cc).
  /// This exchange sends a copy of what `of` sends as `head`; its body comes by hold_copied().
  void become_copy(MirrorCopy& copy, const Exchange& of, const RequestHead& head);
  void hold_copied(std::string_view bytes);
  /// The request that is copied has ended.
  void end_copied(const HeaderList& trailers);
  /// Begins it, in the cluster at `target` of the worker's snapshot; nullopt: it is gone.
  void send_copy(std::optional<uint32_t> target);
  /// What ends it when it takes too long.
  net::Timer& copy_timer() { return deadline_timer_; }
  /// The copy of this request has ended before it was whole.
  void forget_mirror() { mirror_ = nullptr; }
  /// It came as a copy, by the word of a trusted weir.
  void set_copied() { copied_ = true; }

  // ---- From the attempt.
  /// A place for a connection was waited for: ready, still connecting, or refused.
  void on_lease(const Attempt& from, const Result<bool>& ready);
  void on_attempt_timeout(const Attempt& from, const Error& error);
  /// It is the origin's turn: to take what is queued for it, or to send.
  bool waits_for_origin() const;

  /// Gives what is queued on both sides to the kernel. Codecs call it before the loop goes on.
  void flush();
  /// A new snapshot is current: from now on this exchange holds its route alone.
  void keep_route(const std::shared_ptr<const route::Route>& route) { route_hold_ = route; }
  /// The same for whom it belongs to. Requires: owner().
  void keep_owner(std::shared_ptr<const Policies> policies);
  /// The same for its failover group. Requires: grouped().
  void keep_group();
  bool grouped() const { return hops_ != nullptr; }
  /// Whom its next attempt may go to, where it is.
  upstream::Reach reach() const;
  /// The same for the breakers of its cluster.
  void keep_breaker(const Snapshot& leaving);
  /// The same for its cell. Requires: cell().
  void keep_cells(std::shared_ptr<const Cells> cells);
  const route::Route* route() const { return route_; }
  /// Memory is short: what is kept for a retry goes.
  void drop_extras();
  /// It goes to make room for others.
  void reset_for_memory();
  /// Null: the config has neither identity nor limits, or it is too early.
  const Owner* owner() const { return owner_; }
  /// Null: the config has no cells, the route needs none, or it is too early.
  const CellCall* cell() const { return cell_; }
  /// What an answer says of its client's home. Requires: cell().
  void take_answered_cell(const HeaderList& headers);
  bool may_tell_cell(std::string_view name) const;
  uint32_t route_index() const { return route_index_; }
  /// 0 is shed last, 5 first: by identity, else class, else route, else 3.
  uint8_t priority() const;
  /// Requires: admitted to one.
  upstream::WorkerCluster& cluster() const { return *request_permit_; }
  bool admitted() const { return static_cast<bool>(request_permit_); }
  base::Account& account() { return account_; }
  bool routed() const { return route_ != nullptr && !route_hold_; }

  // ---- Facts for the heads that are made from it.
  const Client& client() const { return client_; }
  bool trusted_peer() const { return trusted_peer_; }
  std::string_view client_ip() const { return client_ip_; }
  std::string_view request_id() const { return request_id_; }
  std::string_view traceparent() const { return traceparent_; }
  std::string_view trace_id() const { return traceparent_.substr(3, 32); }
  bool trace_begun() const { return trace_begun_; }
  /// The attempts before this one; null: this is the first.
  const Trail* trail() const { return trail_; }
  /// Which try this request was when it came, by the word of a trusted weir: 1 is the first.
  void set_nested_attempt(uint32_t attempt) { nested_attempt_ = attempt; }
  /// Of the last answer; 0: there was none.
  uint16_t upstream_status() const { return upstream_status_; }
  /// The status of weir's own answer to `error`.
  uint16_t status_of(const Error& error) const;
  /// What a limit has to say that has refused it; null: nothing has been said so, or by others.
  const policy::RefusalText* refusal_text() const;
  /// In digits, in the arena.
  std::string_view number_text(uint32_t number);
  bool finished() const { return step_ == Step::kFinished; }
  bool request_ended() const { return request_ended_; }
  /// Response body bytes given to the client's side so far.
  uint64_t bytes_sent() const { return bytes_sent_; }
  /// All of the answer is queued.
  bool response_ended() const { return response_ended_; }

 private:
  enum class Step : uint8_t {
    kReceiveHead,
    kIdentify,
    kMatchRoute,
    kRunRequestPolicies,
    kChooseCluster,
    kBufferRequest,
    kLease,
    kSendHead,
    kRelay,
    kFinish,
    kFinished,
  };
  enum class Next : uint8_t { kContinue, kWait, kDone };

  void advance();
  Next identify();
  Next match_route();
  Next run_request_policies();
  Next choose_cluster();
  Next buffer_request();
  Next lease();
  Next send_head();
  Next relay();
  Next finish();

  void fail(const Error& error);
  bool retry(const Error& error);
  bool retry_answer(const ResponseHead& head);
  /// Whether repeat_for_answer() could do something, budgets apart.
  bool could_repeat(bool stays) const;
  bool repeat_for_answer(upstream::RetryVerdict verdict, bool stays);
  bool keeps_answer() const;
  bool keep_answer(const ResponseHead& head, upstream::RetryVerdict verdict, bool stays);
  void keep_answer_body(std::string_view bytes);
  void stop_keeping();
  void end_kept_answer();
  bool retry_cut_answer(const Error& error);
  bool has_kept_answer() const;
  bool sent_kept_answer() const;
  /// `attempt_failed`: another one has come to nothing since.
  void send_kept_answer(bool attempt_failed);
  void send_kept_body();
  void drop_kept_answer();
  void leave_kept_answer();
  /// Passes the head on: from now on nothing is repeated.
  void accept_response(const ResponseHead& head);
  bool may_send_again() const;
  bool may_repeat() const;
  bool may_refuse_unprocessed() const;
  void on_backoff_over();
  void on_deadline();
  void reply(const Error& error);
  void answer_direct(const DirectTarget& target);
  void answer_redirect();
  void answer_options();
  void send_local(ResponseHead& head, std::string_view body, bool last);
  void send_continue();
  Result<void> make_upstream_request();
  void start_response(const ResponseHead& head, bool last);

  bool identify_owner();
  void name_owner(std::string_view bucket);
  IpAddress client_address() const;
  Next take_limits();
  void resume_admitted();
  void refuse(const policy::LimitVerdict& verdict);
  bool refused_by_limit() const;
  void tell_limit(HeaderList& headers);
  void charge_cost(const HeaderList& response);
  bool admit_memory();
  bool reserve_body();
  int64_t body_window() const;
  void join_share();
  void leave_share();
  bool holds_little() const;
  bool refuse_memory(MemoryRefusal why);
  bool may_hold_body(size_t bytes);
  void charge_flow();
  void release_owner();
  void count_traffic(int64_t total_us);
  policy::TrafficOutcome traffic_outcome() const;

  Result<void> pass_breakers(uint32_t target, BreakerCall& there);

  Next meet_fault(const base::FaultPoint& at);
  Next meet_cluster_fault();
  Next end_fault();
  void on_fault_over();

  std::optional<Next> fall_back(const Error& refusal);
  std::string_view breaker_function() const;
  std::string_view retry_after();
  void note_silence();
  bool note_attempts_silence();
  uint64_t owner_key() const;
  std::string_view client_key();
  void tell_breaker(base::CallOutcome outcome, Duration took = Duration::zero());
  void tell_cluster_breaker(const policy::CallEnd& end, const policy::CallEnd* instead_of);
  void tell_breaker(const ResponseHead& head);
  void tell_breaker_grpc(const HeaderList& trailers);

  bool identify_cell();
  bool read_cell_path();
  bool take_cell_tag(int64_t now);
  void assign_cell(int64_t now);
  void release_cell();
  void count_cell();
  Result<void> enter_cell();
  bool take_trace_tag();
  void leave_guest();
  void remember_trace();
  bool cell_usable(uint32_t cell);
  bool comes_home_later(uint32_t home);
  bool wait_away(uint32_t home);
  bool go_home_after(const Error& error);
  void repeat_in_cell();
  bool cell_open(uint32_t cell);
  Result<void> pass_cell_breaker(uint32_t cell);
  bool judged() const;
  void tell_cell_breaker(const policy::CallEnd& end, const policy::CallEnd* instead_of);
  Result<void> serve_in(uint32_t cell, policy::CellReason reason);
  Result<void> take_guest();
  const char* why_no_hop(uint32_t from) const;
  Result<void> hop_from(uint32_t from, policy::CellReason reason);
  uint32_t roomiest_cell();
  uint32_t room_in(uint32_t cell);
  bool hop_after(const Error& error);

  bool admit_upgrade();
  /// A tunnel was asked for and there is no answer yet.
  bool tunnel_pending() const {
    return !request_.protocol.empty() && tunnel_ == nullptr && !response_started_;
  }
  void await_upgrade();
  void answer_upgrade(const ResponseHead& head);
  void open_tunnel();
  void close_tunnel();
  void on_tunnel_timer();
  bool tunnel_over() const;
  void tunnel_moved();
  void progress() {
    attempt_.progress();
    if (tunnel_ != nullptr) tunnel_moved();
  }

  void begin_mirror();
  void end_mirror(const HeaderList& trailers);
  void record_copy();
  Result<void> admit_copy(std::optional<uint32_t> target);

  bool shed();
  void note_latency();
  void arm_deadline();
  bool deadline_passed();
  const char* deadline_detail() const;
  void tell_deadline();

  void begin_grpc();
  void prepare_grpc_head();
  bool decodes_request() const;
  void decode_request_body(std::string_view bytes);
  bool request_cut_off();
  bool retry_grpc(const ResponseHead& head);
  void note_grpc_status(const HeaderList& fields);
  void translate_grpc_head(ResponseHead& head);
  bool encodes_response() const;
  void send_grpc_body(std::string_view bytes);
  void encode_response_body(std::string_view bytes);
  void send_grpc_end(const HeaderList& trailers);
  bool speaks_grpc();
  void reply_grpc(const Error& error, bool last);
  void count_grpc();
  int64_t grpc_status_number() const;

  void take_request_body(std::string_view bytes);
  void drop_replay();
  void send_held();
  void end_request_upstream();
  void update_request_flow();
  /// Where the route leads this request, by its place in the snapshot. Requires: it is no answer of
  /// weir's own.
  uint32_t choose_target();
  /// Admits the exchange to a target of choose_target()'s form, and leaves the one it was in.
  Result<void> enter(uint32_t target);
  size_t choose_weighted(const WeightedTarget& target);
  uint32_t choose_release(uint32_t release);
  uint64_t sticky_hash();
  uint64_t hash_of(const HashOn& on);

  void count_upstream_failure(const Error& error);
  bool begin_retry(upstream::RetryVerdict verdict);
  bool take_repetition(upstream::RetryVerdict verdict, upstream::RetryPermit& permit);
  void return_repetition(bool permit);
  void repeat(upstream::RetryPermit permit, Duration delay);

  void go_in(Admitted admitted);
  Result<void> enter_group(uint32_t index);
  Result<Placed> place_in(const upstream::FailoverGroup& group);
  void move_to(Placed placed);
  const upstream::FailoverGroup* current_group() const;
  void leave_group();
  bool retry_in_group(const Error& error);
  /// What the answer says of the cluster that gave it.
  void note_answer(const ResponseHead& head);
  void note_broken_answer();
  void note_whole_answer();
  bool retry_or_hop(upstream::RetryVerdict verdict, upstream::HopReason reason, bool stays);
  bool hop(upstream::RetryVerdict verdict, upstream::HopReason reason);
  bool could_hop() const;
  /// The origin is told which try this is, and so the next weir does not try again what this one
  /// does already.
  void tell_attempt();
  /// The attempt under way is given up for another one.
  void note_attempt(const Attempt& attempt, std::string_view outcome);

  bool hedging() const;
  void arm_hedge();
  void on_hedge_due();
  std::optional<upstream::HedgeRefusal> why_no_hedge() const;
  void count_hedge_refusal(upstream::HedgeRefusal refusal);
  void launch_hedge(upstream::RetryPermit permit);
  /// Makes the attempt that has news the one that the exchange is busy with.
  void heed(const UpstreamStream& from);
  void heed(const Attempt& attempt);
  void turn_to_other();
  bool back_to_other();
  bool outlives(const Error& error);
  void note_recent_latency(const Attempt& attempt);
  void settle_hedge();
  void leave_hedge();
  std::string_view tries_text();
  void record();
  void write_log(int64_t total_us);
  /// Somebody said a priority: 3 of everybody is no news.
  bool prioritised() const {
    return owner_ != nullptr || (route_ != nullptr && route_->config().shed_priority.has_value());
  }
  int64_t micros_since_start(TimePoint at) const;

  Worker& worker_;
  const Client client_;
  base::Account account_;  ///< Of what is held for this exchange, but for itself.
  base::Arena arena_;
  RequestHead request_;
  RequestHead upstream_request_;  ///< What goes upstream: rewritten path, host and headers.
  const route::Route* route_ = nullptr;
  std::shared_ptr<const route::Route> route_hold_;
  upstream::RequestPermit request_permit_;
  upstream::RetryPermit retry_permit_;
  BreakerCall breaker_;
  Attempt attempt_;
  net::Timer backoff_timer_;
  net::Timer deadline_timer_;
  base::BufferChain held_;  ///< Request body not yet sent, or kept for a retry.
  size_t held_sent_ = 0;    ///< Bytes of held_ that the current attempt has been given.
  HeaderList request_trailers_;
  Tunnel* tunnel_ = nullptr;      ///< From the acceptance of an upgrade or CONNECT on.
  Deadline* deadline_ = nullptr;  ///< In the arena; null: none, and nobody to be told of one.
  GrpcCall* grpc_ = nullptr;      ///< Null but for a gRPC call.
  Hops* hops_ = nullptr;          ///< Null: the target is no failover group.
  Hedge* hedge_ = nullptr;        ///< In the arena; null where the route does not hedge.
  Trail* trail_ = nullptr;        ///< Null until there is a second attempt.
  BestAnswer* best_ = nullptr;    ///< Null until an answer is kept.
  Owner* owner_ = nullptr;        ///< In the arena; null where the config knows no owners.
  CellCall* cell_ = nullptr;      ///< In the arena; null where the config knows no cells.
  MirrorCopy* mirror_ = nullptr;  ///< The copy of this request, while its body comes.
  MirrorCopy* copy_ = nullptr;    ///< This is that copy; null: of a client.
  const policy::ReleaseRow* release_ = nullptr;  ///< Which rule decided; null: the target has none.

  std::string_view client_ip_;
  std::string_view request_id_;
  std::string_view traceparent_;
  std::string_view allow_;    ///< For a 405.
  std::string_view outcome_;  ///< Of the attempt that failed last, for the trail.
  Error error_{};
  uint64_t bytes_received_ = 0;
  uint64_t bytes_sent_ = 0;
  TimePoint head_at_{};
  TimePoint sent_at_{};
  TimePoint response_at_{};
  uint32_t attempts_ = 0;
  uint32_t nested_attempt_ = 1;  ///< Which one of the weir before this one it is.
  uint32_t route_index_ = 0;
  uint16_t status_ = 0;
  uint16_t upstream_status_ = 0;
  const void* fault_cluster_ = nullptr;  ///< Whose fault it has met; only compared.
  uint16_t injected_status_ = 0;         ///< What an operator has it answered, for a drill.
  Step step_ = Step::kReceiveHead;
  bool trusted_peer_ = false;
  bool failed_ = false;  ///< error_ says why.
  bool replayable_ = false;
  bool request_ended_ = false;
  bool request_end_sent_ = false;
  bool response_started_ = false;  ///< A final head was given to the client's side.
  bool response_ended_ = false;
  bool downstream_gone_ = false;
  bool continue_sent_ = false;
  bool trace_begun_ = false;
  bool fault_met_ = false;     ///< That of its route: once is enough.
  bool copied_ = false;        ///< It is a copy that another weir has made.
  bool mirror_drawn_ = false;  ///< Whether it is copied: once is enough.
  bool fault_waits_ = false;   ///< It is delayed, by backoff_timer_.
  char ip_text_[46];
};

}  // namespace weir::proxy
