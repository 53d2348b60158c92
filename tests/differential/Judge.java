import com.fasterxml.jackson.core.JsonParseException;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.Patterns;

/**
 * The other side of the differential test: EventBridge's rule matcher. Reads
 * "P pattern" and "E event" lines, answers each with one line; see judge.c.
 */
public final class Judge {
    private static Machine machine; // of the last pattern; null: refused

    private Judge() {
    }

    // Not Machine.addRule: it tries again with an older grammar without $or.
    private static String add(String pattern) {
        machine = null;
        Machine made = Machine.builder().build();
        try {
            List<Map<String, List<Patterns>>> rules = JsonRuleCompiler.compile(pattern);
            for (Map<String, List<Patterns>> rule : rules) {
                made.addPatternRule("rule", rule);
            }
        } catch (JsonParseException | IllegalArgumentException e) {
            return "refused " + String.valueOf(e.getMessage()).split("\n")[0];
        } catch (Exception | AssertionError e) {
            return "failed " + e.getClass().getName();
        }
        machine = made;
        return "accepted";
    }

    private static String judge(String event) {
        if (machine == null) {
            return "no pattern";
        }
        try {
            return machine.rulesForJSONEvent(event).isEmpty() ? "no match" : "match";
        } catch (Exception | AssertionError e) {
            return "failed " + e.getClass().getName();
        }
    }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String text = line.substring(2);
            out.write(line.startsWith("P") ? add(text) : judge(text));
            out.newLine();
        }
        out.flush();
    }
}
