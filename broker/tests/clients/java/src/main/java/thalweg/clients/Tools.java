package thalweg.clients;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs command line tools one after the other in one process, as starting one for each takes a second. A line of the input is a
 * class and its arguments, between tabs; the answer is what the tool printed, and a line of the status that it ended with.
 */
public final class Tools {
    /** Begins the last line of an answer. */
    private static final char END = '\u0001';

    private Tools() {}

    /** With which status the tool has ended, if it said so. */
    private static volatile Integer ended;

    private static final class Ended extends Error {}

    public static void main(String[] args) throws Exception {
        Exit.setExitProcedure((status, message) -> {
            // Tools catch what is thrown, and would tell of it; their process would be gone by now.
            PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
            System.setOut(nowhere);
            System.setErr(nowhere);
            ended = ended == null ? status : ended;
            throw new Ended();
        });
        PrintStream answers = System.out;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            PrintStream captured = new PrintStream(printed, true, StandardCharsets.UTF_8);
            System.setOut(captured);
            System.setErr(captured);
            int status = run(command.split("\t", -1));
            captured.flush();
            printed.writeTo(answers);
            answers.println();
            answers.println(END + Integer.toString(status));
            answers.flush();
        }
    }

    private static int run(String[] words) throws Exception {
        ended = null;
        String[] arguments = Arrays.copyOfRange(words, 1, words.length);
        try {
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException error) {
            if (ended == null) {
                error.getCause().printStackTrace();
                return 1;
            }
        }
        return ended == null ? 0 : ended;
    }
}
