#include "l7/http/h2_stream.h"

#include <algorithm>

#include "common/check.h"
#include "l7/http/h2_session.h"

namespace gatehouse::l7 {

H2Stream::H2Stream(BufferPool& buffers) : head_(buffers), incoming_(buffers), trailers_(buffers), trailers_out_(buffers), unsent_(buffers) {}

void H2Stream::begin(H2Session& session, std::int32_t id) {
  session_ = &session;
  id_ = id;
  error_ = 0;
  piece_ = 0;
  is_input_ended_ = is_input_unwanted_ = is_writing_ = is_output_ended_ = is_end_sent_ = is_deferred_ = is_starved_ = is_ready_ = is_closed_ = is_head_done_ = false;
}

void H2Stream::end() {
  head_.release();
  trailers_.release();
  trailers_out_.release();
  incoming_.release();
  unsent_.release();
  arrived_ = direct_ = {};
  session_ = nullptr;
}

void H2Stream::receive(std::string_view data) {
  if (incoming_.is_empty() && arrived_.empty()) {
    arrived_ = data;
    return;
  }
  keep_arrived();
  if (incoming_.room() < data.size()) incoming_.grow();
  GH_CHECK(incoming_.append(data) == data.size());  // the window is never larger than the buffer
}

void H2Stream::keep_arrived() {
  if (arrived_.empty()) return;
  if (incoming_.room() < arrived_.size()) incoming_.grow();
  GH_CHECK(incoming_.append(arrived_) == arrived_.size());
  arrived_ = {};
}

http::BodyPiece H2Stream::read(std::size_t most, http::Fields& trailers) {
  using Status = http::BodyPiece::Status;
  http::BodyPiece piece;
  const std::string_view all = input();
  piece.data = all.substr(0, most);
  piece_ = piece.data.size();
  piece.is_last = is_input_ended_ && piece_ == all.size();
  const bool is_cut = is_closed_ && !is_input_ended_;
  piece.status = piece_ > 0 || piece.is_last ? Status::kData : is_cut ? Status::kCut : Status::kNothing;
  if (piece.is_last && !trailers_.is_empty()) {
    trailers_.read_into(trailers);
    piece.trailers = &trailers;
  }
  return piece;
}

std::optional<std::size_t> H2Stream::whole_body() const {
  if (!is_input_ended_ || !trailers_.is_empty()) return std::nullopt;
  return input().size();
}

void H2Stream::consume() {
  session_->open_window(*this, piece_);
  if (incoming_.is_empty()) {
    arrived_.remove_prefix(piece_);
  } else {
    incoming_.consume(piece_);
  }
  piece_ = 0;
}

void H2Stream::discard_input() {
  piece_ = input().size();
  consume();
}

void H2Stream::refuse_input() {
  is_input_unwanted_ = true;
  discard_input();
}

std::size_t H2Stream::room() {
  const std::size_t room = session_->room_of(*this);
  if (room == 0) want_room();
  return room;
}

void H2Stream::want_room() { is_starved_ = session_->has_starved_ = true; }

void H2Stream::write(std::string_view data, bool is_last) {
  if (!has_unsent()) moved_ = session_->now();
  is_output_ended_ = is_last;
  direct_ = data;
  is_writing_ = true;
  session_->send(*this);
  is_writing_ = false;
  if (direct_.empty()) return;
  if (unsent_.room() < direct_.size()) unsent_.grow();
  GH_CHECK(unsent_.append(direct_) == direct_.size());  // who writes has asked for room()
  session_->count_unsent(static_cast<std::ptrdiff_t>(direct_.size()));
  direct_ = {};
}

void H2Stream::write_trailers(const http::Fields& trailers) {
  trailers_out_.assign(trailers);
  write({}, true);
}

void H2Stream::output_taken(std::size_t bytes) {
  moved_ = session_->now();
  if (unsent_.is_empty()) {
    direct_.remove_prefix(bytes);
    return;
  }
  unsent_.consume(bytes);
  session_->count_unsent(-static_cast<std::ptrdiff_t>(bytes));
}

void H2Stream::reset(std::uint32_t code) {
  if (!is_closed_) session_->reset(*this, code);
}

}  // namespace gatehouse::l7
