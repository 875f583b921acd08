// What an exchange does by its route before any backend is asked: says what routing looks at, rewrites the request, or
// answers it.
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/http/characters.h"
#include "l7/tls/client_certificate.h"
#include "l7/true_client.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

std::string_view path_of(const http::Request& request) { return request.path.empty() ? "/" : request.path; }

}  // namespace

RouteAsk Exchange::asked() {
  const http::Request& request = context_.request;
  const ClientConnection& connection = client_->connection();
  RouteAsk ask{request.host, request.path, request.method, request.query, &request.fields, connection.arrival().client.address};
  if (runtime_->router().looks_at_client()) ask.client = true_client_address();
  if (runtime_->router().looks_at_tls()) ask.tls = tls_facts();
  country_ = runtime_->asks_for_country() ? find_country() : CountryCode();
  ask.country = country_.view();
  return ask;
}

TlsFacts Exchange::tls_facts() const {
  Wire& wire = client_->connection().wire();
  const TlsDetails details = wire.tls();
  TlsFacts facts{details.version, details.server_name, {}};
  const ClientCertificate* certificate = wire.stream().client_certificate();
  if (certificate && certificate->verified == "SUCCESS") facts.client_subject = certificate->subject;
  return facts;
}

// What a proxy that is believed says goes before what its own address would come to.
CountryCode Exchange::find_country() const {
  const std::string& header = runtime_->config().countries.header;
  if (!header.empty() && client_->connection().is_trusted()) {
    const http::Field* field = context_.request.fields.find(header);
    if (const auto said = CountryCode::parse(field ? field->value : std::string_view())) return *said;
  }
  return runtime_->countries().find(true_client_address());
}

IpAddress Exchange::true_client_address() const {
  const ClientConnection& connection = client_->connection();
  const IpAddress peer = connection.arrival().client.address;
  if (!connection.is_trusted()) return peer;
  return true_client(peer, context_.request.fields, listener_->config.trusted_proxies);
}

// For a message to either side. OpenSSL takes any bytes as a server name: what is no host name is none.
RouteFacts Exchange::facts() const {
  ClientConnection& connection = client_->connection();
  RouteFacts facts;
  facts.client_address = connection.address();
  facts.client_country = country_.view();
  facts.request_id = request_id();
  facts.route = runtime_->config().routes[route_].name;
  facts.sni = connection.wire().tls().server_name;
  if (!http::all_are(facts.sni, http::kHost)) facts.sni = {};
  facts.scheme = listener_->tls ? "https" : "http";
  return facts;
}

RouteFacts Exchange::request_facts() const {
  const http::Request& request = context_.request;
  RouteFacts facts = this->facts();
  facts.host = request.host;
  facts.path = path_of(request);
  facts.query = RouteFacts::query_of(request);
  facts.matched = &runtime_->plan_of(route_).matched(match_);
  facts.matched->capture(facts.path, facts.groups);
  return facts;
}

// Returns by how much the head may grow.
std::size_t Exchange::rewrite(const RoutePlan& plan, http::Forwarding& forwarding) {
  RouteScratch& scratch = context_.route_scratch;
  http::Request& request = context_.request;
  std::size_t growth = 0;
  forwarding.host = plan.host();
  const bool has_fields = !plan.request_fields().is_empty();
  if (!has_fields && !plan.rewrites_path() && !plan.query()) return growth;
  const RouteFacts facts = request_facts();
  if (has_fields) forwarding.edits = &scratch.edits.expand(plan.request_fields(), facts);
  if (plan.query()) {
    scratch.query.clear();
    plan.query()->append(request.query, facts, scratch.query);
    growth += scratch.query.size() + 1;
  }
  if (plan.rewrites_path()) {
    plan.write_path(facts, scratch.target);
    request.path = scratch.target;
    growth += request.path.size();
  }
  // Last: the facts have views of what came.
  if (plan.query()) request.query = scratch.query.empty() ? std::string_view() : std::string_view(scratch.query);
  return growth;
}

Exchange::Next Exchange::answer_by_route(const RoutePlan& plan) {
  RouteScratch& scratch = context_.route_scratch;
  const RouteFacts facts = request_facts();
  http::Fields& fields = context_.response.fields;
  fields.clear();
  status_ = plan.status();
  if (plan.is_redirect()) {
    if (!plan.write_location(context_.request, facts, scratch.target)) return answer(400, "a redirect needs a Host");
    if (is_grpc_) return answer_grpc(status_, "this route answers with a redirect");
    fields.add({"Location", scratch.target});
    return send_answer("", scratch.target.size());
  }
  if (is_grpc_) return answer_grpc(status_, "this route has an answer of its own");
  const http::FieldEdits& own = scratch.answer.expand(plan.answer_fields(), facts);
  for (const http::Field& field : own.written) fields.add(field);
  return begin_answer(plan.body(), own.size);
}

}  // namespace gatehouse::l7
