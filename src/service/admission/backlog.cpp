#include "service/admission/backlog.h"

namespace ssd1b {

void WorkSum::change(const Work& work, int sign) {
  const std::pair key(work.latent_pixels, work.rows);
  Count& count = counts_[key];
  count.calls += sign * work.unet_calls;
  count.pictures += sign;
  count.decodes += sign * work.decodes;
  if (count.pictures == 0) counts_.erase(key);
}

double WorkSum::seconds(const WaitEstimate& estimate) const {
  double sum = 0.0;
  for (const auto& [size, count] : counts_) {
    Work one;
    one.latent_pixels = size.first;
    one.rows = size.second;
    const double without_calls = estimate.seconds_of(one, 0);
    const double of_call = estimate.seconds_of(one, 1) - without_calls;
    sum += static_cast<double>(count.calls) * of_call +
           static_cast<double>(count.decodes) * without_calls;
  }
  return sum;
}

void Backlog::add(Accepted accepted) {
  const PictureId id = accepted.job->id();
  const JobTicket& ticket = accepted.job->ticket();
  deadlines_.emplace(ticket.deadline, id);
  queue_.push(ticket.client, {id, accepted.work});
  queued_work_.add(accepted.work);
  queued_bytes_ += accepted.bytes;
  accepted_.emplace(id, std::move(accepted));
}

Accepted* Backlog::find(PictureId id) {
  const auto found = accepted_.find(id);
  return found == accepted_.end() ? nullptr : &found->second;
}

const Accepted* Backlog::find(PictureId id) const {
  const auto found = accepted_.find(id);
  return found == accepted_.end() ? nullptr : &found->second;
}

void Backlog::leave_queue(const Accepted& accepted) {
  queued_work_.subtract(accepted.work);
  queued_bytes_ -= accepted.bytes;
}

void Backlog::leave_worker(Accepted& accepted) {
  held_[*accepted.worker].erase(accepted.job->id());
  accepted.worker.reset();
}

void Backlog::take(PictureId id, int worker) {
  Accepted& accepted = accepted_.at(id);
  queue_.take(accepted.job->ticket().client, id);
  leave_queue(accepted);
  accepted.worker = worker;
  accepted.calls_done = 0;
  held_[worker].insert(id);
}

void Backlog::put_back(PictureId id) {
  Accepted& accepted = accepted_.at(id);
  leave_worker(accepted);
  accepted.must_run_alone = true;
  queue_.push_retry({id, accepted.work});
  queued_work_.add(accepted.work);
  queued_bytes_ += accepted.bytes;
}

Accepted Backlog::remove(PictureId id) {
  const auto found = accepted_.find(id);
  Accepted accepted = std::move(found->second);
  accepted_.erase(found);
  deadlines_.erase({accepted.job->ticket().deadline, id});
  if (accepted.worker) {
    held_[*accepted.worker].erase(id);
  } else {
    queue_.remove(accepted.job->ticket().client, id);
    leave_queue(accepted);
  }
  return accepted;
}

const std::set<PictureId>& Backlog::held_by(int worker) const {
  static const std::set<PictureId> kNone;
  const auto found = held_.find(worker);
  return found == held_.end() ? kNone : found->second;
}

std::vector<PictureId> Backlog::all() const {
  std::vector<PictureId> ids;
  for (const auto& [id, accepted] : accepted_) ids.push_back(id);
  return ids;
}

std::vector<PictureId> Backlog::expired(Clock::time_point now) const {
  std::vector<PictureId> ids;
  for (auto each = deadlines_.begin(); each != deadlines_.end() && each->first <= now; ++each) {
    ids.push_back(each->second);
  }
  return ids;
}

std::optional<Clock::time_point> Backlog::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

}  // namespace ssd1b
