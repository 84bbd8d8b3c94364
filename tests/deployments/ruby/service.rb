# frozen_string_literal: true

require "net/http"

Call = Struct.new(:id, :number, :token, :destination, :immediate, :final_at, :outcome, :reads, keyword_init: true)

# Refuses a request; WEBrick's own page for the status is the answer unless the behaviour has another.
class Refusal < StandardError
  attr_reader :status

  def initialize(status, message)
    super(message)
    @status = status
  end
end

# Passes requests from WEBrick to the service. WEBrick answers other methods.
class Endpoint < WEBrick::HTTPServlet::AbstractServlet
  def initialize(server, service, kind)
    super(server)
    @service = service
    @kind = kind
  end

  def service(request, response)
    @service.behaviour.admit(request, response)
    super
  rescue Refusal => e
    @service.behaviour.refuse(response, e.status, e.message)
  end

  def do_POST(request, response) # rubocop:disable Naming/MethodName
    body = @service.behaviour.parse(request.body.to_s)
    @service.public_send(@kind, body, response)
  rescue JSON::ParserError
    raise Refusal.new(400, "the body is not JSON")
  end
end

# Answers triggers and polls, and delivers results. The behaviour decides.
class Service
  REQUIRED = %w[Project Tenant ConversationId AccessToken ScenarioPath OrchestratorUrl].freeze
  PAUSES = [0.2, 0.4, 0.8, 1.6].freeze

  attr_reader :settings, :behaviour, :calls, :order

  def initialize(settings, behaviour)
    @settings = settings
    @behaviour = behaviour
    @calls = {}
    @order = []
    @lock = Mutex.new
    behaviour.service = self
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def trigger(body, response)
    log_strangers(body)
    inputs = check(body)
    behaviour.examine(body, inputs)
    known = behaviour.token_matches?(body["AccessToken"], settings["access_token"]) &&
            behaviour.project_matches?(body["Project"], settings["project"])
    raise Refusal.new(403, "access denied") unless known

    number = inputs["_Destination"]
    demand(settings["lines"].key?(number) || number.empty?, "the number is not served")
    call = place(body, number)
    behaviour.write(response, behaviour.ack_status, behaviour.ack(call))
  end

  def poll(body, response)
    demand(body.is_a?(Hash) && body["UniqueIds"].is_a?(Array), "UniqueIds is not a list")
    demand(body["UniqueIds"].all?(String), "an id is not a string")
    # Ruby's JSON reads text that is not UTF-8, but does not write it.
    demand(body["UniqueIds"].all?(&:valid_encoding?), "an id is not UTF-8")
    behaviour.write(response, 200, { CallResults: behaviour.results(body["UniqueIds"]) })
  end

  private

  def demand(condition, message)
    raise Refusal.new(400, message) unless condition
  end

  def check(body)
    demand(body.is_a?(Hash), "a JSON object is expected")
    REQUIRED.each do |name|
      demand(behaviour.text?(body[name], name) && behaviour.filled?(body[name], name), "#{name} is missing")
    end
    check_optional(body)
    list = body["ScenarioInputParameters"]
    demand(list.is_a?(Array), "ScenarioInputParameters is not a list")
    list.each { |entry| check_entry(entry) }
    inputs = list.to_h { |entry| [entry["Name"], entry["Value"]] }
    %w[_DisplayNumber _Destination].each do |name|
      demand(inputs.key?(name) && behaviour.filled?(inputs[name].to_s, name), "#{name} is missing")
    end
    inputs.transform_values(&:to_s)
  end

  def check_entry(entry)
    demand(entry.is_a?(Hash) && entry["Name"].is_a?(String), "an input has no Name")
    demand(behaviour.text?(entry["Value"], "Value"), "an input has no Value")
  end

  def check_optional(body)
    user = body["EndUser"] || {}
    demand(user.is_a?(Hash), "EndUser is not an object")
    texts = %w[Name Phone Email].map { |name| [name, user[name]] }
    texts += %w[Locale ResultDestination].map { |name| [name, body[name]] }
    texts.each { |name, value| demand(value.nil? || behaviour.text?(value, name), "#{name} is not a string") }
    immediate = body["SendResultImmediately"]
    demand(immediate.nil? || behaviour.boolean?(immediate), "SendResultImmediately is not a boolean")
  end

  def address(body)
    text = body["ResultDestination"].to_s
    return if text.empty?

    demand(URI(text).is_a?(URI::HTTP) && URI(text).host, "ResultDestination is not a URL")
    text
  rescue URI::InvalidURIError
    raise Refusal.new(400, "ResultDestination is not a URL")
  end

  def place(body, number)
    call = Call.new(
      number: number, token: body["AccessToken"], destination: address(body), reads: 0,
      immediate: body["SendResultImmediately"] || false, final_at: now + settings["ring_seconds"]
    )
    call.outcome = behaviour.outcome(call)
    call.id = behaviour.new_id
    @lock.synchronize do
      calls[behaviour.key(call.id)] = call
      order << call
    end
    Thread.new { deliver(call) } if call.destination && behaviour.delivers?(call)
    call
  end

  # Makes a test fail that dialled anything but a line.
  def log_strangers(body)
    list = body.is_a?(Hash) ? body["ScenarioInputParameters"] : []
    (list.is_a?(Array) ? list : []).grep(Hash).each do |entry|
      number = entry["Value"]
      next unless entry["Name"] == "_Destination" && number.is_a?(String) && !number.empty?

      warn "STRANGER DIALLED #{number}" unless settings["lines"].key?(number)
    end
  end

  def deliver(call)
    sleep [call.final_at + behaviour.delivery_delay(call) - now, 0].max
    request = behaviour.parcel(call)
    [*PAUSES, 0].each do |pause|
      break if send_once(request)

      sleep pause
    end
  end

  def send_once(request)
    uri = request.uri
    answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", read_timeout: 5) do |http|
      http.request(request)
    end
    !answer.is_a?(Net::HTTPServerError)
  rescue SystemCallError, IOError, Timeout::Error, Net::HTTPBadResponse
    false
  end
end
