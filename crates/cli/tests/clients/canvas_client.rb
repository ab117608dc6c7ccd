# The subscription client of Canvas, made again from what is known about it: the same calls, the same bearer,
# and the same reading of the answers. It runs the life of subscriptions, and checks each answer.
#
# Arguments: the address of the service. Variables: SIGNING_SECRET, ENCRYPTION_SECRET, TOOL_URL.

require "base64"
require "httparty"
require "json"
require "json/jwt"
require "securerandom"

# Bearer tokens for Canvas's own services.
module ServicesToken
  def self.make(claims, signing: ENV.fetch("SIGNING_SECRET"))
    now = Time.now.to_i
    times = { iss: "Canvas", aud: ["Instructure"], exp: now + 3600, nbf: now - 30, iat: now,
              jti: SecureRandom.uuid }
    signed = JSON::JWT.new(claims.merge(times)).sign(signing, :HS256)
    jwe = JSON::JWE.new(signed.to_s)
    jwe.alg = :dir
    jwe.enc = :A256GCM
    jwe.encrypt!(ENV.fetch("ENCRYPTION_SECRET"))
    Base64.encode64(jwe.to_s).delete("\n")
  end
end

# The calls of the client.
class SubscriptionClient
  TIMEOUT = 10

  def initialize(app_host, claims)
    @app_host = app_host
    @claims = claims
  end

  def create(object)
    call(:post, "/api/subscriptions", body: object)
  end

  def show(id)
    call(:get, "/api/subscriptions/#{id}")
  end

  def update(object)
    call(:put, "/api/subscriptions/#{object["Id"]}", body: object)
  end

  def destroy(id)
    call(:delete, "/api/subscriptions/#{id}")
  end

  def destroy_all
    call(:delete, "/api/subscriptions")
  end

  def index(query: nil, start_key: nil)
    headers = start_key ? { "StartKey" => start_key } : {}
    call(:get, "/api/root_account_subscriptions", query: query, headers: headers)
  end

  def event_types(message_type)
    call(:get, "/api/event_types", query: { message_type: message_type })
  end

  private

  def call(method, path, body: nil, query: nil, headers: {})
    headers = headers.merge("Authorization" => "Bearer #{ServicesToken.make(@claims)}")
    headers["Content-Type"] = "application/json" if body
    options = { headers: headers, timeout: TIMEOUT }
    options[:body] = body.to_json if body
    options[:query] = query if query
    HTTParty.public_send(method, @app_host + path, options)
  end
end

def check(what, condition)
  raise "failed: #{what}" unless condition

  puts what
  $stdout.flush
end

# Canvas renders body and status of every answer, so the body must always be JSON.
def check_json(answer)
  JSON.parse(answer.body)
  type = answer.headers["content-type"]
  raise "the content type is #{type}" unless type == "application/json"
end

app_host = ARGV.fetch(0)
ACCOUNT = { RootAccountId: "10000000000001", RootAccountUUID: "root-uuid" }.freeze
def tool(guid)
  { sub: "ltiToolProxy:#{guid}", DeveloperKey: "10000000000003", **ACCOUNT }
end
DATA_SERVICES = { sub: "10000000000009:root-uuid", DeveloperKey: "10000000000009",
                  RootAccountId: 10_000_000_000_001, RootAccountUUID: "root-uuid" }.freeze

# The plagiarism tool: create when it is installed, destroy when it is removed.
types = %w[submission_created plagiarism_resubmit submission_updated assignment_updated
           assignment_created]
object = {
  "SystemEventTypes" => types,
  "UserEventTypes" => types - ["submission_updated"],
  "ContextType" => "root_account",
  "ContextId" => "root-uuid",
  "Format" => "live-event",
  "TransportType" => "https",
  "TransportMetadata" => { "Url" => ENV.fetch("TOOL_URL") },
  "AssociatedIntegrationId" => "tool-guid",
}
plagiarism = SubscriptionClient.new(app_host, tool("tool-guid"))
result = plagiarism.create(object)
check("create is ok", result.ok?)
id = result.parsed_response["Id"]
check("create returns an id", id.is_a?(String) && !id.empty?)
puts "id #{id}"
$stdout.flush
# The test sends events now, and says when they have arrived.
raise "the test ended" unless $stdin.gets

result = plagiarism.show(id)
check("show is ok", result.ok? && result.parsed_response["State"] == "Active")
check("the tool's guid is given back",
      result.parsed_response["AssociatedIntegrationId"] == "tool-guid")

stranger = SubscriptionClient.new(app_host, tool("other-guid"))
[stranger.show(id), stranger.destroy(id), stranger.update("Id" => id, "EventTypes" => ["all"])]
  .each do |refused|
  check_json(refused)
  check("another tool gets #{refused.code}", refused.code == 404)
end
result = stranger.destroy_all
check_json(result)
check("another tool deletes nothing", result.ok? && plagiarism.show(id).ok?)

# Data Services: create, change, list with pages, delete.
data_services = SubscriptionClient.new(app_host, DATA_SERVICES)
stream = {
  "ContextType" => "root_account", "ContextId" => "root-uuid", "EventTypes" => ["grade_change"],
  "Format" => "caliper", "TransportType" => "https",
  "TransportMetadata" => { "Url" => "https://93.184.215.14/hook?key=planted" },
  "OwnerId" => "10000000000021", "OwnerType" => "person", "NewMember" => { "a" => [1, nil] },
}
ids = Array.new(130) { data_services.create(stream).parsed_response["Id"] }
check("130 streams are created", ids.uniq.length == 130)
changed = data_services.update("Id" => ids.first, "EventTypes" => ["grade_*"],
                               "UpdatedBy" => "10000000000022")
check("update is ok", changed.ok? && changed.parsed_response["EventTypes"] == ["grade_*"])
check("an unknown member is given back", changed.parsed_response["NewMember"] == { "a" => [1, nil] })
check("no secret is given back", !changed.body.include?("planted"))

found = []
key = nil
loop do
  page = data_services.index(start_key: key)
  check("a page has at most 100", page.ok? && page.parsed_response.length <= 100)
  found.concat(page.parsed_response.map { |item| item["Id"] })
  key = page.headers["endkey"]
  break unless key
end
check("the list has all of the root account", found.sort == (ids + [id]).sort)

deleted = data_services.update("Id" => ids.first, "State" => "Deleted")
check("a stream is deleted", deleted.ok? && deleted.parsed_response["State"] == "Deleted")
listed = lambda do |query|
  items = []
  key = nil
  loop do
    page = data_services.index(query: query, start_key: key)
    items.concat(page.parsed_response)
    key = page.headers["endkey"]
    break items unless key
  end
end
check("the list leaves it out", listed.call(nil).none? { |item| item["Id"] == ids.first })
with_deleted = listed.call({ limit_deleted: 90 })
check("the list has it if asked",
      with_deleted.any? { |item| item["Id"] == ids.first && item["State"] == "Deleted" })

check("event types have categories",
      data_services.event_types("live-event").parsed_response["grade"].include?("grade_change"))

# What Canvas gets wrong or old.
[data_services.update("Id" => nil, "State" => "Active"),
 data_services.show("01900000-0000-7000-8000-000000000000"),
 data_services.create("ContextType" => "course")].each do |refused|
  check_json(refused)
  check("a wrong call gets #{refused.code}", [400, 404].include?(refused.code))
end
bad = HTTParty.get("#{app_host}/api/event_types",
                   headers: { "Authorization" => "Bearer #{ServicesToken.make(DATA_SERVICES, signing: "wrong")}" })
check_json(bad)
check("a token of another Canvas gets #{bad.code}", bad.code == 401)

result = plagiarism.destroy(id)
check_json(result)
check("destroy is ok", result.ok? && result.parsed_response["State"] == "Deleted")
check("a destroyed subscription is deleted", plagiarism.show(id).parsed_response["State"] == "Deleted")
puts "done"
