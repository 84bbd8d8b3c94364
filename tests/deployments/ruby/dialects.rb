# frozen_string_literal: true

require "zlib"

# Ids in base 58, compared without case.
class WithoutCase < Behaviour
  def new_id = SecureRandom.alphanumeric(26)

  def key(id) = id.strip.downcase
end

# Ids that are numbers to the database, and text in JSON.
class Serial < Behaviour
  def new_id = SecureRandom.random_number(10**18..10**19).to_s
end

# 422 and 404 in JSON; a media type is needed.
class Rails < Behaviour
  def admit(request, response)
    response["X-Request-Id"] = SecureRandom.uuid
    response["X-Runtime"] = "0.003"
    return unless request.request_method == "POST"

    json = request["Content-Type"].to_s.downcase.start_with?("application/json")
    raise Refusal.new(415, "Unsupported Media Type") unless json
  end

  def refuse(response, status, message)
    response.keep_alive = false
    write(response, status == 400 ? 422 : status, { errors: [{ status: status.to_s, title: message }], data: nil })
  end
end

# Entries for all ids, with an empty state while there is none; in any order, repeated as asked.
class EmptyStates < Behaviour
  def results(ids)
    ids.shuffle.map do |id|
      call = find(id)
      entry(id, (call && state_of(call)).to_s)
    end
  end
end

# A form, as Net::HTTP.post_form sends it.
class PostForm < Behaviour
  def parcel(call)
    request = Net::HTTP::Post.new(URI(call.destination))
    request.set_form_data("UniqueId" => call.id, "CallState" => call.outcome)
    request
  end
end

# Deflated JSON in an envelope, by PATCH.
class Deflated < Behaviour
  def parcel(call)
    headers = { "Content-Type" => "application/vnd.api+json", "Content-Encoding" => "deflate" }
    request = Net::HTTP::Patch.new(URI(call.destination), headers)
    attributes = { CallState: call.outcome, CallRequestId: nil }
    body = { data: { type: "results", id: call.id, attributes: { UniqueId: call.id, **attributes } } }
    request.body = Zlib::Deflate.deflate(JSON.generate(body))
    request
  end
end

# 429 without Retry-After above 20 requests at once in a second, as a rack middleware does.
class RackAttack < Behaviour
  def initialize
    super
    @lock = Mutex.new
    @second = @admitted = 0
  end

  def admit(_request, _response)
    second = service.now.floor
    @lock.synchronize do
      @second, @admitted = second, 0 if second != @second
      @admitted += 1
      raise Refusal.new(429, "Retry later") if @admitted > 25
    end
  end
end

# Text only in ASCII; what is not JSON text in the answer is escaped.
class AsciiOnly < Behaviour
  def encode(value) = "\n#{JSON.pretty_generate(value, ascii_only: true, script_safe: true)}\n"

  def ack(call) = { UniqueId: call.id, Status: nil, Links: { Result: "/v2/callresult" } }
end

DIALECTS = {
  "natural" => [Behaviour, "UUIDs, WEBrick's error pages and OPTIONS, Ruby's stock JSON"],
  "without-case" => [WithoutCase, "compares ids without case and blanks around them"],
  "serial" => [Serial, "ids are integers, as text"],
  "rails" => [Rails, "422, 415 and 403 in JSON; keep-alive ends after a refusal"],
  "empty-states" => [EmptyStates, "an entry for each id, in any order, with an empty state where there is none"],
  "post-form" => [PostForm, "delivers form fields"],
  "deflated" => [Deflated, "delivers deflated JSON in an envelope, by PATCH"],
  "rack-attack" => [RackAttack, "429 without Retry-After above 25 requests in a second"],
  "ascii-only" => [AsciiOnly, "indented ASCII with white space around it; more members"]
}.freeze
