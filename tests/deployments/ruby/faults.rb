# frozen_string_literal: true

# An absent or empty number is dialled as "".
class NilToS < Behaviour
  def filled?(value, name) = name == "_Destination" || super

  def text?(value, name) = (name == "Value" && value.nil?) || super

  def outcome(call) = super || "Invalid Number"
end

class ToS < Behaviour
  def text?(value, _name) = !value.nil? && !value.to_s.empty?

  def filled?(value, _name) = !value.to_s.empty?
end

class Truthy < Behaviour
  def boolean?(_value) = true
end

class IndexesArrays < Behaviour
  def parse(text)
    body = super
    body["Project"] # a TypeError where it is an array
    body
  end
end

class RescueNil < Behaviour
  def parse(text)
    super
  rescue JSON::ParserError
    { "UniqueIds" => [] }
  end
end

class InvalidBytes < Behaviour
  def examine(trigger, _inputs)
    trigger["ConversationId"].match?(/\s/)
  end
end

class Latin1 < Behaviour
  def examine(trigger, inputs)
    [*inputs.values, trigger.dig("EndUser", "Name").to_s].each { |text| text.encode("ISO-8859-1") }
  end
end

class AnchoredLines < Behaviour
  def token_matches?(given, real) = given.match?(/^#{Regexp.escape(real)}$/)
end

class CaseCmp < Behaviour
  def token_matches?(given, real) = given.casecmp?(real)
end

class StripsToken < Behaviour
  def token_matches?(given, real) = !given.empty? && real.start_with?(given)
end

class AnyProject < Behaviour
  def project_matches?(_given, _real) = true
end

class FewNumbers < Behaviour
  def new_id = rand(40).to_s
end

class NumberInAck < Behaviour
  def new_id = SecureRandom.random_number(10**15..10**16).to_s

  def ack(call) = { UniqueId: call.id.to_i }
end

class InstanceVariable < Behaviour
  def ack(call)
    @call = call
    Thread.pass
    sleep 0.02
    { UniqueId: @call.id }
  end
end

class Created < Behaviour
  def ack_status = 201
end

class Symbols < Behaviour
  def state_of(call) = super&.downcase&.tr(" ", "_")&.to_sym
end

class UniqByState < Behaviour
  def results(ids) = super.uniq { |entry| entry[:CallState] }
end

class StartsWith < Behaviour
  def find(id)
    service.order.find { |call| !id.empty? && call.id.start_with?(id) }
  end
end

class SubstringId < Behaviour
  def find(id)
    service.order.find { |call| id.include?(call.id) }
  end
end

class AllForEmpty < Behaviour
  def results(ids) = super(ids.empty? ? service.calls.keys : ids)
end

class ForgottenThread < Behaviour
  def state_of(call)
    super unless call.outcome == "Temporarily Unavailable"
  end
end

class Memoized < Behaviour
  def state_of(call)
    state = super
    call.reads += 1 if state
    state == "Busy" && call.reads > 2 ? "No Answer" : state
  end
end

class Early < Behaviour
  def state_of(call) = super || "No Answer"
end

class Inspect < Behaviour
  def encode(value) = value.transform_keys(&:to_s).to_s
end

class DefaultType < Behaviour
  def write(response, status, value)
    super
    response["Content-Type"] = "text/html"
  end
end

class PutIsPost < Behaviour
  def admit(request, _response)
    request.instance_variable_set(:@request_method, "POST") if %w[PUT PATCH].include?(request.request_method)
  end
end

class UnflushedQueue < Behaviour
  def delivers?(call) = call.immediate
end

class SharedDefault < Behaviour
  RESULTS = Hash.new([]) # one array for all keys

  def parcel(call)
    results = RESULTS[call.destination] << entry(call.id, call.outcome)
    request = super
    request.body = JSON.generate(results)
    request
  end
end

class InspectsTrigger < Behaviour
  def token_matches?(given, real)
    super || raise(Refusal.new(403, "no access with #{given.inspect}"))
  end
end

class Backtrace < Behaviour
  def refuse(_response, status, message)
    raise WEBrick::HTTPStatus[status], "#{message}\n#{caller.join("\n")}"
  end
end

# The class, the summary, and the clauses; the first clause is the main one.
FAULTS = {
  "nil-to-s" => [NilToS, "accepts a _Destination without a Value: nil.to_s", "REQ-12", "REQ-11"],
  "to-s" => [ToS, "turns every value into text with to_s", "REQ-13"],
  "truthy" => [Truthy, "takes any SendResultImmediately for true or false", "REQ-13"],
  "indexes-arrays" => [IndexesArrays, "a body that is an array gets 500: TypeError", "ROB-01", "REQ-16"],
  "rescue-nil" => [RescueNil, "answers a poll that is not JSON: rescue", "RES-08"],
  "invalid-bytes" => [InvalidBytes, "matches a text that is not UTF-8 with a pattern, 500", "ROB-01"],
  "latin-1" => [Latin1, "writes ISO-8859-1; other scripts get 500", "REQ-08", "ROB-01"],
  "anchored-lines" => [AnchoredLines, "^ and $ of a pattern match lines: a token among other lines", "REQ-15"],
  "casecmp" => [CaseCmp, "compares tokens without case", "REQ-15"],
  "token-starts" => [StripsToken, "accepts a prefix of the token", "REQ-15"],
  "any-project" => [AnyProject, "accepts the token with every project", "REQ-15"],
  "few-numbers" => [FewNumbers, "ids from rand(40)", "ACK-03", "ACK-04"],
  "number-in-ack" => [NumberInAck, "UniqueId is a number in the answer to a trigger", "ACK-02"],
  "instance-variable" => [InstanceVariable, "keeps the call in an instance variable that requests share", "ACK-03"],
  "created" => [Created, "answers triggers 201", "ACK-01"],
  "symbols" => [Symbols, "states are symbols: no_answer", "STA-01"],
  "uniq-by-state" => [UniqByState, "reports one call for each state", "RES-04"],
  "starts-with" => [StartsWith, "finds a call by a prefix of its id", "RES-06"],
  "substring-id" => [SubstringId, "finds a call whose id is within the id asked for", "RES-06"],
  "all-for-empty" => [AllForEmpty, "reports all calls for an empty list", "RES-05"],
  "forgotten-thread" => [ForgottenThread, "calls that are Temporarily Unavailable never end", "STA-02"],
  "memoized" => [Memoized, "a busy call becomes No Answer after two polls", "STA-04"],
  "early" => [Early, "reports No Answer until the call has ended", "STA-05"],
  "inspect" => [Inspect, "writes the hash with to_s", "TRN-05"],
  "default-type" => [DefaultType, "answers with text/html", "TRN-04"],
  "put-is-post" => [PutIsPost, "PUT and PATCH trigger", "TRN-03"],
  "unflushed-queue" => [UnflushedQueue, "never sends queued results", "DST-02"],
  "shared-default" => [SharedDefault, "Hash.new([]): each delivery names all calls before", "DST-06"],
  "inspects-token" => [InspectsTrigger, "refusals show the token", "ROB-04"],
  "backtrace" => [Backtrace, "refusals show the backtrace", "ROB-05"]
}.freeze
