import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;

/** Other conforming ways to serve the API. */
final class Dialects {
    private Dialects() {}

    private static final SecureRandom RANDOM = new SecureRandom();

    private static Main.Variant dialect(String name, String summary, java.util.function.Supplier<Behaviour> make) {
        return new Main.Variant(name, List.of(), summary, make);
    }

    static final List<Main.Variant> ALL = List.of(
        dialect("natural", "UUIDs, chunked answers, HTML refusals, Jackson's stock reading", Behaviour::new),
        dialect("java-uuids", "reads ids with UUID.fromString", JavaUuids::new),
        dialect("collation", "compares ids as MySQL does: without case and trailing blanks", Collation::new),
        dialect("entries-for-all", "an entry for each id; what UTF-8 cannot carry becomes ?", EntriesForAll::new),
        dialect("xml-deliveries", "delivers XML", XmlDeliveries::new),
        dialect("form-deliveries", "delivers form fields with PUT", FormDeliveries::new),
        dialect("container", "415 for other media types, and the JSON error of a servlet container", Container::new),
        dialect("retry-at", "429 with a date in Retry-After above 30 requests in a second", RetryAt::new),
        dialect("numbers-as-text", "ids are random integers, compared as numbers", NumbersAsText::new),
        dialect("twenty-at-once", "refuses a poll for more than 20 ids with 413, and values over 255 characters", TwentyAtOnce::new)
    );

    static class JavaUuids extends Behaviour {
        @Override
        Object key(String id) {
            try {
                return UUID.fromString(id);
            } catch (IllegalArgumentException malformed) {
                return id;
            }
        }
    }

    static class Collation extends Behaviour {
        private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

        @Override
        String newId() {
            StringBuilder id = new StringBuilder();
            while (id.length() < 24) {
                id.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
            }
            return id.toString();
        }

        @Override
        Object key(String id) {
            int end = id.length();
            while (end > 0 && id.charAt(end - 1) == ' ') {
                end--;
            }
            return id.substring(0, end).toUpperCase(Locale.ROOT);
        }
    }

    static class EntriesForAll extends Behaviour {
        @Override
        List<Map<String, Object>> results(List<String> ids) {
            List<Map<String, Object>> entries = new ArrayList<>();
            for (String id : ids) {
                Call call = find(id);
                entries.add(entry(id, call == null ? "" : call.state, call));
            }
            return entries;
        }

        @Override
        void write(HttpExchange exchange, Object answer) throws IOException {
            byte[] body = JSON.writeValueAsString(answer).getBytes(StandardCharsets.UTF_8);
            service.write(exchange, 200, "application/json;charset=UTF-8", body);
        }
    }

    static class XmlDeliveries extends Behaviour {
        @Override
        HttpRequest.Builder parcel(Call call) {
            String body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CallResult><UniqueId>" + call.id
                + "</UniqueId><CallState>" + call.state + "</CallState></CallResult>\n";
            return HttpRequest.newBuilder(URI.create(call.destination))
                .header("Content-Type", "application/xml")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        }
    }

    static class FormDeliveries extends Behaviour {
        @Override
        HttpRequest.Builder parcel(Call call) {
            String body = "UniqueId=" + call.id + "&CallState=" + call.state.replace(' ', '+');
            return HttpRequest.newBuilder(URI.create(call.destination))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .PUT(HttpRequest.BodyPublishers.ofString(body));
        }
    }

    static class Container extends Behaviour {
        @Override
        void admit(HttpExchange exchange) {
            super.admit(exchange);
            String type = exchange.getRequestHeaders().getFirst("Content-Type");
            if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
                throw new Refusal(415, "Unsupported Media Type");
            }
        }

        @Override
        void refuse(HttpExchange exchange, Refusal refusal) throws IOException {
            Map<String, Object> error = Map.of(
                "timestamp", Instant.now().toString(),
                "status", refusal.status,
                "error", refusal.getMessage(),
                "path", exchange.getRequestURI().getPath()
            );
            service.write(exchange, refusal.status, "application/json", JSON.writeValueAsBytes(error));
        }
    }

    static class RetryAt extends Behaviour {
        private long second;
        private int admitted;

        @Override
        void admit(HttpExchange exchange) {
            ZonedDateTime now = ZonedDateTime.now(ZoneOffset.UTC);
            synchronized (this) {
                if (second != now.toEpochSecond()) {
                    second = now.toEpochSecond();
                    admitted = 0;
                }
                admitted++;
                if (admitted > 30) {
                    String later = DateTimeFormatter.RFC_1123_DATE_TIME.format(now.plusSeconds(1));
                    exchange.getResponseHeaders().set("Retry-After", later);
                    throw new Refusal(429, "Too Many Requests");
                }
            }
            super.admit(exchange);
        }
    }

    static class NumbersAsText extends Behaviour {
        @Override
        String newId() {
            return new BigInteger(62, RANDOM).setBit(62).toString();
        }

        @Override
        Object key(String id) {
            try {
                return Long.valueOf(id.strip());
            } catch (NumberFormatException malformed) {
                return id;
            }
        }
    }

    static class TwentyAtOnce extends Behaviour {
        @Override
        List<Map<String, Object>> results(List<String> ids) {
            if (ids.size() > 20) {
                throw new Refusal(413, "Payload Too Large");
            }
            return super.results(ids);
        }

        @Override
        void examine(JsonNode trigger, Map<String, String> inputs) {
            for (String value : inputs.values()) {
                if (value.codePointCount(0, value.length()) > 255) {
                    throw new Refusal(422, "a value is too long");
                }
            }
        }
    }
}
