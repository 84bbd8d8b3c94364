import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** Faults that Java programs have. The first clause of each is its main one. */
final class Faults {
    private Faults() {}

    private static Main.Variant fault(String name, String clauses, String summary, Supplier<Behaviour> make) {
        return new Main.Variant(name, List.of(clauses.split(" ")), summary, make);
    }

    static final List<Main.Variant> ALL = List.of(
        fault("racy-counter", "ACK-03 STA-03", "takes ids from a field that is not atomic", RacyCounter::new),
        fault("static-field", "ACK-03", "keeps the call that it answers in one field for all threads", StaticField::new),
        fault("coerces-scalars", "REQ-13", "reads numbers and booleans as strings, as Jackson binds them", Coerces::new),
        fault("enum-of-locales", "ROB-01 REQ-08", "500 for a Locale that its enum lacks", EnumOfLocales::new),
        fault("optional-of-null", "REQ-03", "Optional.of(Locale) without a Locale, 500", OptionalOfNull::new),
        fault("inputs-to-map", "ROB-01", "Collectors.toMap of inputs; a variable named twice gets 500", InputsToMap::new),
        fault("polled-to-map", "RES-09", "Collectors.toMap of ids; an id asked for twice gets 500", PolledToMap::new),
        fault("parses-ids", "ROB-01 RES-06", "Long.parseLong of ids without a catch, 500", ParsesIds::new),
        fault("column-too-short", "ROB-01", "500 for an EndUser.Name that is longer than its column", ColumnTooShort::new),
        fault("equals-ignore-case", "REQ-15", "compares tokens without case", IgnoresCase::new),
        fault("trims-the-token", "REQ-15", "compares the first 16 characters of the token, as the column has", TrimsToken::new),
        fault("blank-caller", "REQ-12", "accepts an empty _DisplayNumber", BlankCaller::new),
        fault("first-two-inputs", "REQ-05", "expects caller and number as the first two inputs", FirstTwoInputs::new),
        fault("sql-like", "RES-06", "finds calls with LIKE: % and _ match", SqlLike::new),
        fault("enum-names", "STA-01", "reports the name of its enum: NO_ANSWER", EnumNames::new),
        fault("ordinal-shift", "STA-03", "reads Rejected as No Answer since its enum has changed", OrdinalShift::new),
        fault("two-replicas", "STA-04", "each third poll is answered by a replica that lacks the state", TwoReplicas::new),
        fault("dead-timer", "STA-02", "an exception ends the timer: calls that are rejected never end", DeadTimer::new),
        fault("no-content-type", "TRN-04", "leaves out the Content-Type", NoContentType::new),
        fault("byte-order-mark", "TRN-05", "writes with a byte-order mark", ByteOrderMark::new),
        fault("member-twice", "TRN-06", "writes CallState twice, from field and getter", MemberTwice::new),
        fault("checks-the-destination", "DST-07", "connects to ResultDestination before it answers", ChecksDestination::new),
        fault("delivers-answered-only", "DST-04", "delivers answered calls only", AnsweredOnly::new),
        fault("stale-delivery", "DST-05", "delivers a state that was prepared for another line", StaleDelivery::new),
        fault("delivers-the-trigger", "DST-06", "delivers the trigger's token with the result", DeliversToken::new),
        fault("trace-page", "ROB-05", "refusals show the stack trace", TracePage::new)
    );

    static class RacyCounter extends Behaviour {
        private long next = 500_000;

        @Override
        String newId() {
            long mine = next;
            try {
                Thread.sleep(20);
            } catch (InterruptedException stop) {
                Thread.currentThread().interrupt();
            }
            next = mine + 1;
            return Long.toString(mine);
        }
    }

    static class StaticField extends Behaviour {
        private volatile Call current;

        @Override
        void placed(Call call, HttpExchange exchange) {
            current = call;
            try {
                Thread.sleep(20);
            } catch (InterruptedException stop) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        Object ack(Call call) {
            return super.ack(current);
        }
    }

    static class Coerces extends Behaviour {
        @Override
        boolean isText(JsonNode value) {
            return value.isValueNode() && !value.isNull() && !value.isMissingNode();
        }
    }

    static class EnumOfLocales extends Behaviour {
        enum Known { EN_US, EN_GB, DE_DE, FR_FR }

        @Override
        void examine(JsonNode trigger, Map<String, String> inputs) {
            JsonNode locale = trigger.path("Locale");
            if (locale.isTextual() && !locale.asText().isEmpty()) {
                Known.valueOf(locale.asText().replace('-', '_').toUpperCase());
            }
        }
    }

    static class OptionalOfNull extends Behaviour {
        @Override
        void examine(JsonNode trigger, Map<String, String> inputs) {
            Optional.of(trigger.get("Locale")).filter(JsonNode::isTextual);
        }
    }

    static class InputsToMap extends Behaviour {
        @Override
        Map<String, String> inputs(JsonNode list) {
            return StreamSupport.stream(list.spliterator(), false)
                .collect(Collectors.toMap(e -> e.path("Name").asText(), e -> e.path("Value").asText()));
        }
    }

    static class PolledToMap extends Behaviour {
        @Override
        List<Map<String, Object>> results(List<String> ids) {
            return super.results(List.copyOf(ids.stream().collect(Collectors.toMap(Function.identity(), id -> id)).values()));
        }
    }

    static class ParsesIds extends Behaviour {
        @Override
        String newId() {
            return Long.toString(java.util.concurrent.ThreadLocalRandom.current().nextLong(1L << 62, Long.MAX_VALUE));
        }

        @Override
        Object key(String id) {
            return Long.parseLong(id);
        }
    }

    static class ColumnTooShort extends Behaviour {
        @Override
        void examine(JsonNode trigger, Map<String, String> inputs) {
            if (trigger.path("EndUser").path("Name").asText().length() > 4000) {
                throw new IllegalStateException("Data truncation");
            }
        }
    }

    static class IgnoresCase extends Behaviour {
        @Override
        boolean tokenMatches(String given, String real) {
            return given.equalsIgnoreCase(real);
        }
    }

    static class TrimsToken extends Behaviour {
        @Override
        boolean tokenMatches(String given, String real) {
            return given.length() >= 16 && given.substring(0, 16).equals(real.substring(0, 16));
        }
    }

    static class BlankCaller extends Behaviour {
        @Override
        boolean isFilled(String name, String value) {
            return name.equals("_DisplayNumber") || super.isFilled(name, value);
        }
    }

    static class FirstTwoInputs extends Behaviour {
        @Override
        Map<String, String> inputs(JsonNode list) {
            Map<String, String> inputs = new LinkedHashMap<>();
            for (int at = 0; at < 2; at++) {
                inputs.put(list.path(at).path("Name").asText(), list.path(at).path("Value").asText());
            }
            return inputs;
        }
    }

    static class SqlLike extends Behaviour {
        @Override
        Call find(String id) {
            String pattern = Pattern.quote(id).replace("%", "\\E.*\\Q").replace("_", "\\E.\\Q");
            return service.calls.values().stream()
                .filter(call -> Pattern.matches("(?s)" + pattern, call.id)).findFirst().orElse(null);
        }
    }

    static class EnumNames extends Behaviour {
        @Override
        String outcome(Call call) {
            String state = super.outcome(call);
            return state.contains(" ") ? state.toUpperCase().replace(' ', '_') : state;
        }
    }

    static class OrdinalShift extends Behaviour {
        @Override
        String outcome(Call call) {
            String state = super.outcome(call);
            return state.equals("Rejected") ? "No Answer" : state;
        }
    }

    static class TwoReplicas extends Behaviour {
        @Override
        String stateOf(Call call) {
            return !call.state.isEmpty() && ++call.reads % 6 >= 4 ? "" : call.state;
        }
    }

    static class DeadTimer extends Behaviour {
        @Override
        String outcome(Call call) {
            String state = super.outcome(call);
            if (state.equals("Rejected")) {
                throw new IllegalStateException("no such state");
            }
            return state;
        }
    }

    static class NoContentType extends Behaviour {
        @Override
        void write(HttpExchange exchange, Object answer) throws IOException {
            service.write(exchange, 200, null, JSON.writeValueAsBytes(answer));
        }
    }

    static class ByteOrderMark extends Behaviour {
        @Override
        void write(HttpExchange exchange, Object answer) throws IOException {
            String text = "\uFEFF" + JSON.writeValueAsString(answer);
            service.write(exchange, 200, "application/json", text.getBytes(StandardCharsets.UTF_8));
        }
    }

    static class MemberTwice extends Behaviour {
        @Override
        void write(HttpExchange exchange, Object answer) throws IOException {
            String text = JSON.writeValueAsString(answer).replaceAll("(\"CallState\":\"[^\"]*\")", "$1,$1");
            service.write(exchange, 200, "application/json", text.getBytes(StandardCharsets.UTF_8));
        }
    }

    static class ChecksDestination extends Behaviour {
        @Override
        void placed(Call call, HttpExchange exchange) {
            if (call.destination == null) {
                return;
            }
            try {
                HttpURLConnection probe = (HttpURLConnection) URI.create(call.destination).toURL().openConnection();
                probe.setRequestMethod("HEAD");
                probe.getResponseCode();
            } catch (IOException unreachable) {
                throw new IllegalStateException(unreachable);
            }
        }
    }

    static class AnsweredOnly extends Behaviour {
        @Override
        boolean delivers(Call call) {
            return outcome(call).equals("Answered");
        }
    }

    static class StaleDelivery extends Behaviour {
        @Override
        HttpRequest.Builder parcel(Call call) throws IOException {
            String body = JSON.writeValueAsString(entry(call.id, call.state.equals("Busy") ? "Answered" : "Busy", call));
            return HttpRequest.newBuilder(URI.create(call.destination))
                .header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
        }
    }

    static class DeliversToken extends Behaviour {
        @Override
        HttpRequest.Builder parcel(Call call) throws IOException {
            Map<String, Object> entry = entry(call.id, call.state, call);
            entry.put("Trigger", Map.of("Project", service.project, "AccessToken", call.token));
            return HttpRequest.newBuilder(URI.create(call.destination))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(entry)));
        }
    }

    static class TracePage extends Behaviour {
        @Override
        void refuse(HttpExchange exchange, Refusal refusal) throws IOException {
            StringWriter trace = new StringWriter();
            refusal.printStackTrace(new PrintWriter(trace));
            byte[] page = ("<html><pre>" + trace + "</pre></html>").getBytes(StandardCharsets.UTF_8);
            service.write(exchange, refusal.status, "text/html", page);
        }
    }
}
