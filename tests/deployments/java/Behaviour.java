import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Every decision of the deployment that a dialect or a fault makes otherwise. */
class Behaviour {
    static final ObjectMapper JSON = new ObjectMapper();
    Service service;

    void admit(HttpExchange exchange) {
        if (!exchange.getRequestMethod().equals("POST")) {
            exchange.getResponseHeaders().set("Allow", "POST");
            throw new Refusal(405, "Method Not Allowed");
        }
    }

    JsonNode read(byte[] raw) throws IOException {
        return JSON.readTree(raw);
    }

    void refuse(HttpExchange exchange, Refusal refusal) throws IOException {
        String page = "<h1>" + refusal.status + " " + refusal.getMessage() + "</h1>";
        service.write(exchange, refusal.status, "text/html; charset=utf-8", page.getBytes("UTF-8"));
    }

    /** What becomes of an exception that nobody expected. */
    void unexpected(HttpExchange exchange, RuntimeException error) throws IOException {
        refuse(exchange, new Refusal(500, "Internal Server Error"));
    }

    void write(HttpExchange exchange, Object answer) throws IOException {
        service.write(exchange, 200, "application/json", JSON.writeValueAsBytes(answer));
    }

    boolean isText(JsonNode value) {
        return value.isTextual();
    }

    boolean isFilled(String name, String value) {
        return !value.isEmpty();
    }

    /** The parameters by name. */
    Map<String, String> inputs(JsonNode list) {
        Map<String, String> inputs = new LinkedHashMap<>();
        list.forEach(entry -> inputs.put(entry.path("Name").asText(), entry.path("Value").asText()));
        return inputs;
    }

    void examine(JsonNode trigger, Map<String, String> inputs) {}

    boolean tokenMatches(String given, String real) {
        return given.equals(real);
    }

    String newId() {
        return UUID.randomUUID().toString();
    }

    void placed(Call call, HttpExchange exchange) {}

    Object ack(Call call) {
        return Map.of("UniqueId", call.id);
    }

    /** What ids are compared by. */
    Object key(String id) {
        return id;
    }

    Call find(String id) {
        return service.calls.get(key(id));
    }

    String outcome(Call call) {
        return service.lines.get(call.number);
    }

    String stateOf(Call call) {
        return call.state;
    }

    Map<String, Object> entry(String id, String state, Call call) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("UniqueId", id);
        entry.put("CallRequestId", "");
        entry.put("CallState", state);
        return entry;
    }

    /** The entries for the ids of a poll, each at most once. */
    List<Map<String, Object>> results(List<String> ids) {
        List<Map<String, Object>> entries = new ArrayList<>();
        for (String id : ids.stream().distinct().toList()) {
            Call call = find(id);
            if (call != null && !stateOf(call).isEmpty()) {
                entries.add(entry(id, stateOf(call), call));
            }
        }
        return entries;
    }

    boolean delivers(Call call) {
        return true;
    }

    long deliveryMillis(Call call) {
        return service.ringMillis + (call.immediate ? service.deliveryMillis : service.queuedMillis);
    }

    HttpRequest.Builder parcel(Call call) throws IOException {
        String body = JSON.writeValueAsString(entry(call.id, call.state, call));
        return HttpRequest.newBuilder(URI.create(call.destination))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body));
    }
}
