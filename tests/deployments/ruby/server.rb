# frozen_string_literal: true

# A deployment with WEBrick and Ruby's JSON as they come. This file: the command line, start and end.

require "json"
require "optparse"
require "webrick"
require_relative "behaviour"
require_relative "dialects"
require_relative "faults"
require_relative "service"

def listing(variants)
  variants.map { |name, (_, summary, *clauses)| { name: name, summary: summary, clauses: clauses } }
end

def pick(variants, name)
  variants.fetch(name) { abort "there is no #{name}; see --list" }.first
end

def start(options)
  settings = JSON.parse(File.read(options.fetch(:settings)))
  type = options[:fault] ? pick(FAULTS, options[:fault]) : pick(DIALECTS, options.fetch(:dialect, "natural"))
  service = Service.new(settings, type.new)
  server = WEBrick::HTTPServer.new(
    BindAddress: "127.0.0.1", Port: 0, AccessLog: [], Logger: WEBrick::Log.new(File::NULL)
  )
  server.mount("/v2/call", Endpoint, service, :trigger)
  server.mount("/v2/callresult", Endpoint, service, :poll)
  Thread.new { server.start }
  puts "listening on http://127.0.0.1:#{server.listeners.first.addr[1]}"
  $stdin.read
  exit! 0
end

$stdout.sync = true
options = {}
parser = OptionParser.new
parser.on("--settings FILE") { |file| options[:settings] = file }
parser.on("--dialect NAME") { |name| options[:dialect] = name }
parser.on("--fault NAME") { |name| options[:fault] = name }
parser.on("--list") { options[:list] = true }
parser.parse!
if options[:list]
  puts JSON.generate(dialects: listing(DIALECTS), faults: listing(FAULTS))
else
  start(options)
end
