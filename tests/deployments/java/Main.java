import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/** A deployment with the JDK's HTTP server and Jackson as they come. This file: the command line, start and end. */
public final class Main {
    record Variant(String name, List<String> clauses, String summary, Supplier<Behaviour> make) {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new LinkedHashMap<>();
        for (int at = 0; at < arguments.length; at += 2) {
            options.put(arguments[at], at + 1 < arguments.length ? arguments[at + 1] : "");
        }
        if (options.containsKey("--list")) {
            Map<String, Object> all = Map.of("dialects", listing(Dialects.ALL), "faults", listing(Faults.ALL));
            System.out.println(new ObjectMapper().writeValueAsString(all));
            return;
        }
        Variant chosen = options.containsKey("--fault")
            ? pick(Faults.ALL, options.get("--fault"))
            : pick(Dialects.ALL, options.getOrDefault("--dialect", "natural"));
        JsonNode settings = new ObjectMapper().readTree(new File(options.get("--settings")));
        Service service = new Service(settings, chosen.make().get());
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/v2/call", service::trigger);
        server.createContext("/v2/callresult", service::poll);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
        System.in.transferTo(OutputStream.nullOutputStream());
        System.exit(0);
    }

    private static List<Map<String, Object>> listing(List<Variant> variants) {
        List<Map<String, Object>> entries = new ArrayList<>();
        for (Variant variant : variants) {
            entries.add(Map.of("name", variant.name, "clauses", variant.clauses, "summary", variant.summary));
        }
        return entries;
    }

    private static Variant pick(List<Variant> variants, String name) {
        return variants.stream().filter(v -> v.name.equals(name)).findFirst()
            .orElseThrow(() -> new IllegalArgumentException("there is no " + name + "; see --list"));
    }
}
