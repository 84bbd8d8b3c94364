# frozen_string_literal: true

require "securerandom"
require "uri"

# Every decision of the deployment that a dialect or a fault makes otherwise.
class Behaviour
  attr_accessor :service

  def admit(_request, _response) = nil

  def parse(text) = JSON.parse(text)

  def text?(value, _name) = value.is_a?(String)

  def boolean?(value) = [true, false].include?(value)

  def filled?(value, _name) = !value.empty?

  # Raises or returns nothing.
  def examine(_trigger, _inputs) = nil

  def token_matches?(given, real) = given == real

  def project_matches?(given, real) = given == real

  def new_id = SecureRandom.uuid

  def ack(call) = { UniqueId: call.id }

  def ack_status = 200

  # What ids are compared by.
  def key(id) = id

  def find(id) = service.calls[key(id)]

  def outcome(call) = service.settings["lines"][call.number]

  # The state of a call, nil until it is final.
  def state_of(call)
    call.outcome if service.now >= call.final_at
  end

  def entry(id, state) = { UniqueId: id, CallRequestId: "", CallState: state }

  def results(ids)
    ids.filter_map do |id|
      call = find(id)
      state = call && state_of(call)
      entry(id, state) if state
    end
  end

  def encode(value) = JSON.generate(value)

  def write(response, status, value)
    response.status = status
    response["Content-Type"] = "application/json"
    response.body = encode(value)
  end

  # Raises what WEBrick makes a page of.
  def refuse(_response, status, message)
    raise WEBrick::HTTPStatus[status], message
  end

  def delivers?(_call) = true

  def delivery_delay(call)
    service.settings[call.immediate ? "delivery_seconds" : "queued_delivery_seconds"]
  end

  # The request that delivers a result.
  def parcel(call)
    request = Net::HTTP::Post.new(URI(call.destination), "Content-Type" => "application/json")
    request.body = JSON.generate(entry(call.id, call.outcome))
    request
  end
end
