import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Answers triggers and polls, and delivers results. The behaviour decides. */
final class Service {
    private static final List<String> REQUIRED =
        List.of("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath", "OrchestratorUrl");
    private static final int[] PAUSES = {200, 400, 800, 1600};

    final Map<Object, Call> calls = new ConcurrentHashMap<>();
    final Map<String, String> lines = new HashMap<>();
    final String project;
    final String token;
    final long ringMillis;
    final long deliveryMillis;
    final long queuedMillis;
    final ScheduledExecutorService timer = Executors.newScheduledThreadPool(8);
    private final HttpClient client = HttpClient.newHttpClient();
    private final Behaviour behaviour;

    Service(JsonNode settings, Behaviour behaviour) {
        this.behaviour = behaviour;
        behaviour.service = this;
        project = settings.get("project").asText();
        token = settings.get("access_token").asText();
        settings.get("lines").fields().forEachRemaining(line -> lines.put(line.getKey(), line.getValue().asText()));
        ringMillis = millis(settings, "ring_seconds");
        deliveryMillis = millis(settings, "delivery_seconds");
        queuedMillis = millis(settings, "queued_delivery_seconds");
    }

    private static long millis(JsonNode settings, String name) {
        return Math.round(settings.get(name).asDouble() * 1000);
    }

    private interface Handler {
        void answer(HttpExchange exchange, JsonNode body) throws IOException;
    }

    void trigger(HttpExchange exchange) throws IOException {
        serve(exchange, this::place);
    }

    void poll(HttpExchange exchange) throws IOException {
        serve(exchange, this::report);
    }

    private void serve(HttpExchange exchange, Handler handler) throws IOException {
        try (exchange) {
            try {
                byte[] raw = exchange.getRequestBody().readAllBytes();
                behaviour.admit(exchange);
                JsonNode body = behaviour.read(raw);
                demand(body.isObject(), "a JSON object is expected");
                handler.answer(exchange, body);
            } catch (JsonProcessingException malformed) {
                behaviour.refuse(exchange, new Refusal(400, "Bad Request"));
            } catch (Refusal refusal) {
                behaviour.refuse(exchange, refusal);
            } catch (RuntimeException error) {
                behaviour.unexpected(exchange, error);
            }
        }
    }

    void write(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        if (type != null) {
            exchange.getResponseHeaders().set("Content-Type", type);
        }
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, 0); // its way to say: chunked
        exchange.getResponseBody().write(body);
    }

    private static void demand(boolean condition, String message) {
        if (!condition) {
            throw new Refusal(400, message);
        }
    }

    private void place(HttpExchange exchange, JsonNode body) throws IOException {
        JsonNode list = body.path("ScenarioInputParameters");
        logStrangers(list);
        for (String name : REQUIRED) {
            demand(behaviour.isText(body.path(name)) && behaviour.isFilled(name, body.path(name).asText()), name + " is missing");
        }
        for (String name : List.of("Locale", "ResultDestination")) {
            demandText(body, name);
        }
        JsonNode endUser = body.path("EndUser");
        demand(endUser.isMissingNode() || endUser.isNull() || endUser.isObject(), "EndUser is not an object");
        for (String name : List.of("Name", "Phone", "Email")) {
            demandText(endUser, name);
        }
        JsonNode immediate = body.path("SendResultImmediately");
        demand(immediate.isMissingNode() || immediate.isNull() || immediate.isBoolean(), "SendResultImmediately is not a boolean");
        demand(list.isArray(), "ScenarioInputParameters is not a list");
        for (JsonNode entry : list) {
            demand(behaviour.isText(entry.path("Name")) && behaviour.isText(entry.path("Value")), "an input needs Name and Value");
        }
        Map<String, String> inputs = behaviour.inputs(list);
        for (String name : List.of("_DisplayNumber", "_Destination")) {
            demand(inputs.containsKey(name) && behaviour.isFilled(name, inputs.get(name)), name + " is missing");
        }
        behaviour.examine(body, inputs);
        boolean known = body.get("Project").asText().equals(project)
            && behaviour.tokenMatches(body.get("AccessToken").asText(), token);
        if (!known) {
            throw new Refusal(403, "Forbidden");
        }
        demand(lines.containsKey(inputs.get("_Destination")), "the number is not served");
        JsonNode destination = body.path("ResultDestination");
        boolean delivered = destination.isTextual() && !destination.asText().isEmpty();
        demand(!delivered || isAddress(destination.asText()), "ResultDestination is not a URL");
        Call call = new Call(
            behaviour.newId(),
            inputs.get("_Destination"),
            body.get("AccessToken").asText(),
            delivered ? destination.asText() : null,
            immediate.asBoolean()
        );
        calls.put(behaviour.key(call.id), call);
        timer.schedule(() -> { call.state = behaviour.outcome(call); }, ringMillis, TimeUnit.MILLISECONDS);
        if (call.destination != null && behaviour.delivers(call)) {
            deliver(call, behaviour.deliveryMillis(call), 0);
        }
        behaviour.placed(call, exchange);
        behaviour.write(exchange, behaviour.ack(call));
    }

    private void demandText(JsonNode owner, String name) {
        JsonNode value = owner.path(name);
        demand(value.isMissingNode() || value.isNull() || behaviour.isText(value), name + " is not a string");
    }

    private static boolean isAddress(String text) {
        try {
            URI address = new URI(text);
            return address.getHost() != null && List.of("http", "https").contains(address.getScheme());
        } catch (URISyntaxException malformed) {
            return false;
        }
    }

    /** Makes a test fail that dialled anything but a line. */
    private void logStrangers(JsonNode list) {
        for (JsonNode entry : list) {
            JsonNode value = entry.path("Value");
            boolean number = value.isNumber() || (value.isTextual() && !value.asText().isEmpty());
            if (number && entry.path("Name").asText().equals("_Destination") && !lines.containsKey(value.asText())) {
                System.err.println("STRANGER DIALLED " + value.asText());
            }
        }
    }

    private void report(HttpExchange exchange, JsonNode body) throws IOException {
        JsonNode list = body.path("UniqueIds");
        demand(list.isArray(), "UniqueIds is not a list");
        List<String> ids = new ArrayList<>();
        for (JsonNode id : list) {
            demand(behaviour.isText(id), "an id is not a string");
            ids.add(id.asText());
        }
        behaviour.write(exchange, Map.of("CallResults", behaviour.results(ids)));
    }

    private void deliver(Call call, long after, int attempt) {
        timer.schedule(() -> {
            try {
                var request = behaviour.parcel(call).timeout(Duration.ofSeconds(5)).build();
                client.sendAsync(request, HttpResponse.BodyHandlers.discarding()).whenComplete((response, error) -> {
                    boolean failed = error != null || response.statusCode() >= 500;
                    if (failed && attempt < PAUSES.length) {
                        deliver(call, PAUSES[attempt], attempt + 1);
                    }
                });
            } catch (IOException | RuntimeException error) {
                System.err.println("not delivered: " + error.getClass().getName());
            }
        }, after, TimeUnit.MILLISECONDS);
    }
}
